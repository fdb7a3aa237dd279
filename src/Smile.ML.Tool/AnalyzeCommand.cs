using System.CommandLine;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Tool;

/// <summary><c>smile analyze</c>: the analyses of a pool as one page.</summary>
internal static class AnalyzeCommand
{
    public static Command Create()
    {
        var pool = new PoolArguments();
        var report = new Option<string>("--report") { Description = "The HTML file to write.", HelpName = "FILE", Required = true };
        var heads = new Option<string?>("--heads") { Description = "A folder with TASK.safetensors per expert; POOL/heads by default, where there is one.", HelpName = "DIR" };
        var data = new Option<string?>("--data") { Description = "A folder with TASK_test.safetensors per expert; POOL/data by default, where there is one.", HelpName = "DIR" };
        var quick = new Option<bool>("--quick") { Description = "Fewer settings, at most 64 rows per task, no decomposition of the pretrained weights." };
        var expertRank = Arguments.Number("--expert-rank", "Rank of each expert (k) that routing and errors are shown for.", 32);
        var routerRank = Arguments.Number("--router-rank", "Router rows per expert (k_gate), likewise.", 16);
        var expertsPerToken = Arguments.Number("--experts-per-token", "Experts that each token goes to (top_k), likewise.", 1);
        var compute = new ComputeArguments();
        var command = new Command("analyze", "Analyses a pool and writes a report: what to pick, and why.");
        pool.AddTo(command);
        foreach (Option option in new Option[] { report, heads, data, quick, expertRank, routerRank, expertsPerToken })
        {
            command.Options.Add(option);
        }

        compute.AddTo(command);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                ComputeOptions where = compute.Read(parsed);
                string? folder = parsed.GetValue(pool.Pool);
                var options = new SmileReportOptions
                {
                    HeadsFolder = parsed.GetValue(heads) ?? Default(folder, "heads"),
                    DataFolder = parsed.GetValue(data) ?? Default(folder, "data"),
                    Setting = new SmileSetting(parsed.GetValue(expertRank), parsed.GetValue(routerRank), parsed.GetValue(expertsPerToken)),
                    Quick = parsed.GetValue(quick),
                    Compute = where,
                };
                Run(pool.Open(parsed), parsed.GetValue(report)!, options, cancellationToken);
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    /// <summary>A pool's own folder of heads or data, where it has one.</summary>
    private static string? Default(string? pool, string name)
        => pool is not null && Path.Combine(pool, name) is var folder && Directory.Exists(folder) ? folder : null;

    private static void Run(ModelPool opened, string path, SmileReportOptions options, CancellationToken cancellationToken)
    {
        using ModelPool pool = opened;
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder))
        {
            throw new SmileException($"--report is {path}; there is no folder {folder}.");
        }

        FusionArguments.RequireExperts(options.Setting.ExpertsPerToken, pool.Experts.Count);
        OutputFiles.Require([("--report", path)], PoolArguments.Files(pool, options.HeadsFolder, options.DataFolder));

        SmileReport report = SmileReport.Create(pool, options, new StageReporter(), cancellationToken);
        AtomicFile.WriteAllText(path, report.ToHtml());
        Console.WriteLine(report.Recommendation.Headline);
        foreach (string reason in report.Recommendation.Reasons)
        {
            Console.WriteLine($"- {reason}");
        }

        Console.WriteLine(report.FineTuned is null
            ? $"Written to {path}: what the weights say. With --heads and --data it would hold accuracies and routing too."
            : $"Written to {path}");
    }

    /// <summary>A line on stderr per stage, in their order.</summary>
    private sealed class StageReporter : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine(value);
    }
}
