using System.CommandLine;
using Smile.ML.Fusion;

namespace Smile.ML.Tool;

/// <summary>The options that name a pool: a pool folder, or the models one by one.</summary>
internal sealed class PoolArguments
{
    private readonly Option<string?> _pretrained = new("--pretrained") { Description = "The pretrained model's folder.", HelpName = "DIR" };

    private readonly Option<string[]> _experts = new("--expert")
    {
        Description = "A fine-tuned model's name and folder; repeatable, in router order.",
        HelpName = "NAME=DIR",
    };

    public Option<string?> Pool { get; } = new("--pool")
    {
        Description = "A folder with _pretrained_ and one folder per expert, instead of --pretrained and --expert.",
        HelpName = "DIR",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_pretrained);
        command.Options.Add(_experts);
        command.Options.Add(Pool);
    }

    public ModelPool Open(ParseResult parsed)
    {
        string? pool = parsed.GetValue(Pool);
        string? pretrained = parsed.GetValue(_pretrained);
        string[] experts = parsed.GetValue(_experts) ?? [];
        if (pool is not null)
        {
            return pretrained is null && experts.Length == 0
                ? ModelPool.Open(pool)
                : throw new UsageException("--pool stands for --pretrained and --expert; give one or the other.");
        }

        if (pretrained is null || experts.Length == 0)
        {
            throw new UsageException("Give --pretrained DIR and at least one --expert NAME=DIR, or --pool DIR.");
        }

        return ModelPool.Open(pretrained, Array.ConvertAll(experts, Parse));
    }

    /// <summary>Gets the files that a pool, and the folders of heads and data that go with it, are read from.</summary>
    public static IEnumerable<string> Files(ModelPool pool, params IEnumerable<string?> folders)
        => pool.Experts.Select(expert => expert.Location).Prepend(pool.Pretrained.Location).SelectMany(OutputFiles.OfModel)
            .Concat(folders.OfType<string>().SelectMany(OutputFiles.OfFolder));

    private static KeyValuePair<string, string> Parse(string expert)
    {
        int equals = expert.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && equals < expert.Length - 1
            ? KeyValuePair.Create(expert[..equals], expert[(equals + 1)..])
            : throw new UsageException($"--expert is {expert}; expected NAME=DIR.");
    }
}
