using System.CommandLine;
using System.Text.RegularExpressions;
using Smile.ML.Compute;

namespace Smile.ML.Tool;

/// <summary>The options that say where a model runs.</summary>
internal sealed partial class ComputeArguments
{
    public Option<string> Device { get; } = new("--device")
    {
        Description = "Where to run: cpu, cuda or cuda:N.",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "cpu",
        CustomParser = result => DeviceName().IsMatch(result.Tokens[^1].Value)
            ? result.Tokens[^1].Value
            : Arguments.Refuse<string>(result, "cpu, cuda or cuda:N"),
    };

    private readonly Option<int?> _threads = FusionArguments.Threads();

    public void AddTo(Command command, bool withThreads = true)
    {
        command.Options.Add(Device);
        if (withThreads)
        {
            command.Options.Add(_threads);
        }
    }

    public ComputeOptions Read(ParseResult parsed) => new() { Device = parsed.GetValue(Device)!, Threads = parsed.GetValue(_threads) };

    [GeneratedRegex("^(cpu|cuda(:[0-9]{1,9})?)$", RegexOptions.IgnoreCase)]
    private static partial Regex DeviceName();
}
