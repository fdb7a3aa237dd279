using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Smile.ML.Fusion;
using Spectre.Console;

namespace Smile.ML.Tool;

/// <summary><c>smile fuse</c>: SMILE over a pool, into a folder.</summary>
internal static class FuseCommand
{
    public static Command Create()
    {
        var pool = new PoolArguments();
        var fusion = new FusionArguments();
        var output = new Option<string>("--output") { Description = "The folder to write.", HelpName = "DIR", Required = true };
        var force = new Option<bool>("--force") { Description = "Replace the output where it exists already." };
        var json = new Option<bool>("--json") { Description = "Print the report as JSON." };
        var command = new Command("fuse", "Fuses models fine-tuned from one pretrained model with SMILE.");
        pool.AddTo(command);
        command.Options.Add(output);
        fusion.AddTo(command);
        command.Options.Add(force);
        command.Options.Add(json);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () => Run(pool, fusion.Read(parsed), parsed.GetValue(output)!, parsed.GetValue(force), parsed.GetValue(json), parsed, cancellationToken),
            CancellationToken.None));
        return command;
    }

    private static int Run(
        PoolArguments arguments, SmileFusionOptions options, string output, bool force, bool json, ParseResult parsed, CancellationToken cancellationToken)
    {
        using ModelPool pool = arguments.Open(parsed);
        FusionArguments.RequireExperts(options.ExpertsPerToken, pool.Experts.Count);
        FusionReport report = Progress.Run(
            !json, progress => new SmileFusion(options).Fuse(pool, output, force, progress, cancellationToken));
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, Output.Json));
        }
        else
        {
            Print(report, output);
        }

        return 0;
    }

    private static void Print(FusionReport report, string output)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        string experts = report.Experts.Count == 1 ? "expert" : "experts";
        Console.WriteLine(string.Create(culture, $"Fused {report.Experts.Count} {experts}: {string.Join(", ", report.Experts)}"));
        Console.WriteLine(string.Create(culture, $"Linear layers upscaled {report.Upscaled.Count}, kept {report.Kept.Count}"));
        foreach ((string layer, string reason) in report.Kept)
        {
            Console.WriteLine($"  {layer}: {reason}");
        }

        if (report.TaskHeads.Count > 0)
        {
            Console.WriteLine("Heads that stayed each task's own");
            foreach (string line in report.TaskHeads.Select(Output.TaskHead))
            {
                Console.WriteLine(line);
            }
        }

        Console.WriteLine(string.Create(
            culture,
            $"Parameters {report.PretrainedParameters:N0} -> {report.FusedParameters:N0} ({(double)report.FusedParameters / report.PretrainedParameters:F2} x)"));
        Console.WriteLine(string.Create(culture, $"Written to {output} in {report.Elapsed.TotalSeconds:F2} s"));
    }
}
