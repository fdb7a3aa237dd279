using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tool;

/// <summary><c>smile merge</c>: a pool into one dense model.</summary>
internal static class MergeCommand
{
    public static Command Create()
    {
        var method = new Option<string?>("--method") { Description = "How to merge; see --list.", HelpName = "NAME" };
        var set = new Option<string[]>("--set") { Description = "A parameter of the method; repeatable.", HelpName = "KEY=VALUE" };
        var list = new Option<bool>("--list") { Description = "Name the methods and their parameters, and do nothing else." };
        var pool = new PoolArguments();
        var output = new Option<string?>("--output") { Description = "The folder to write.", HelpName = "DIR" };
        Option<string?> dtype = Arguments.Choice(
            "--dtype", "Element types of the result; 'keep' takes the pretrained model's.", "keep", "keep", "f32", "bf16", "f16");
        Option<int?> threads = FusionArguments.Threads();
        var force = new Option<bool>("--force") { Description = "Replace the output where it exists already." };
        var json = new Option<bool>("--json") { Description = "Print the report, or the list, as JSON." };
        var command = new Command("merge", "Merges models fine-tuned from one pretrained model into one dense model of its size.") { method, set, list };
        pool.AddTo(command);
        foreach (Option option in new Option[] { output, dtype, threads, force, json })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                if (parsed.GetValue(list))
                {
                    Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(MergeMethods.All.Select(Describe), Output.Json) : List());
                    return 0;
                }

                MergeMethod merge = ReadMethod(parsed.GetValue(method), parsed.GetValue(set) ?? []);
                string folder = parsed.GetValue(output) ?? throw new UsageException("Give --output DIR.");
                var options = new MergeOptions
                {
                    Precision = Enum.Parse<StoredPrecision>(parsed.GetValue(dtype)!, ignoreCase: true),
                    Threads = parsed.GetValue(threads),
                };
                using ModelPool models = pool.Open(parsed);
                MergeReport report = Progress.Run(
                    !parsed.GetValue(json),
                    progress => merge.Merge(models, folder, options, parsed.GetValue(force), progress, cancellationToken));
                Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(report, Output.Json) : Describe(report, folder));
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>Reads a method and its parameters.</summary>
    /// <exception cref="UsageException">There is no such method or parameter, or a value is not as it must be.</exception>
    public static MergeMethod Parse(string text)
    {
        try
        {
            return MergeMethods.Parse(text);
        }
        catch (SmileException exception)
        {
            string[] names = [.. MergeMethods.All.Select(method => method.Name)];
            string typed = text.Split(' ')[0];
            throw new UsageException(exception.Message + (names.Contains(typed) ? "" : Suggestion.For(typed, names)));
        }
    }

    private static MergeMethod ReadMethod(string? name, string[] parameters)
    {
        if (name is null)
        {
            throw new UsageException("Give --method NAME; --list names the methods.");
        }

        return Parse(string.Join(' ', [name, .. parameters]));
    }

    private static object Describe(MergeMethod method) => new
    {
        method.Name,
        method.Summary,
        Parameters = method.Parameters.Select(parameter => new { parameter.Name, parameter.Description, parameter.Expected, Default = parameter.Value }),
    };

    private static string List()
    {
        var lines = new List<string>();
        foreach (MergeMethod method in MergeMethods.All)
        {
            lines.Add($"{method.Name,-18}{method.Summary}");
            lines.AddRange(method.Parameters.Select(parameter =>
                $"  {parameter.Name + "=" + parameter.Value,-24}{parameter.Description}: {parameter.Expected}"));
        }

        return string.Join(Environment.NewLine, lines);
    }

    private static string Describe(MergeReport report, string folder)
        => string.Create(
            CultureInfo.InvariantCulture,
            $"""
            Merged {report.Experts.Count} {(report.Experts.Count == 1 ? "expert" : "experts")} by {report.Method}: {string.Join(", ", report.Experts)}
            Parameters {report.Parameters:N0}
            Written to {folder} in {report.Elapsed.TotalSeconds:F2} s
            """);
}
