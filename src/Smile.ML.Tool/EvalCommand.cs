using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Networks;

namespace Smile.ML.Tool;

/// <summary><c>smile eval</c>: accuracy per task, of one model or of a pool side by side.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var model = new Option<string?>("--model") { Description = "The model to evaluate: a Hugging Face folder or a fused folder.", HelpName = "DIR" };
        var pool = new Option<string?>("--pool")
        {
            Description = "Evaluate a pool: pretrained, each expert on its own task, average, SMILE and the routing oracles.",
            HelpName = "DIR",
        };
        var heads = new Option<string?>("--heads") { Description = "A folder with TASK.safetensors per task; POOL/heads by default.", HelpName = "DIR" };
        var data = new Option<string?>("--data") { Description = "A folder with TASK_test.safetensors per task; POOL/data by default.", HelpName = "DIR" };
        var file = new Option<string?>("--json") { Description = "A JSON file to write the figures to.", HelpName = "FILE" };
        var merges = new Option<string[]>("--merge")
        {
            Description = "With --pool, evaluate a dense merge as well, e.g. \"ties keep=0.2 scale=0.3\"; repeatable.",
            HelpName = "METHOD",
        };
        var fusion = new FusionArguments();
        var compute = new ComputeArguments();
        var command = new Command("eval", "Measures accuracy on labelled images with frozen task heads.") { model, pool, merges, heads, data, file };
        fusion.AddTo(command);
        compute.AddTo(command, withThreads: false);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                SmileFusionOptions options = fusion.Read(parsed);
                ComputeOptions where = compute.Read(parsed) with { Threads = options.Threads };
                string? folder = parsed.GetValue(pool);
                if (folder is null == parsed.GetValue(model) is null)
                {
                    throw new UsageException("Give --model DIR with --heads DIR and --data DIR, or --pool DIR.");
                }

                IReadOnlyList<MergeMethod> methods = [.. (parsed.GetValue(merges) ?? []).Select(MergeCommand.Parse)];
                if (folder is null && methods.Count > 0)
                {
                    throw new UsageException("--merge needs --pool DIR.");
                }

                if (folder is null && fusion.FindGiven(parsed) is { } unused)
                {
                    throw new UsageException($"{unused} says how to fuse a pool; it needs --pool DIR.");
                }

                string headsFolder = parsed.GetValue(heads) ?? Default(folder, "heads");
                string dataFolder = parsed.GetValue(data) ?? Default(folder, "data");
                string? path = parsed.GetValue(file);
                IReadOnlyList<MethodResult> results = folder is not null
                    ? EvaluatePool(folder, headsFolder, dataFolder, path, methods, options, where, cancellationToken)
                    : [EvaluateModel(parsed.GetValue(model)!, headsFolder, dataFolder, path, where, cancellationToken)];
                Console.WriteLine(Table(results));
                if (path is not null)
                {
                    Write(path, results);
                }

                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static string Default(string? pool, string folder)
        => pool is not null ? Path.Combine(pool, folder) : throw new UsageException($"--model needs --{folder} DIR.");

    private static MethodResult EvaluateModel(
        string folder, string heads, string data, string? json, ComputeOptions compute, CancellationToken cancellationToken)
    {
        OutputFiles.Require([("--json", json)], [.. OutputFiles.OfModel(folder), .. OutputFiles.OfFolder(heads), .. OutputFiles.OfFolder(data)]);
        Dictionary<string, TaskHead> byName = TaskHead.LoadFolder(heads).ToDictionary(head => head.Name);
        IReadOnlyList<TaskData> tasks = TaskData.OpenFolder(data);
        try
        {
            using SmileModel model = SmileModel.Load(folder, compute);
            if (tasks.FirstOrDefault(task => !byName.ContainsKey(task.Name)) is { } headless)
            {
                throw new SmileException($"Task {headless.Name} has no head: expected {Path.Combine(heads, headless.Name)}.safetensors.");
            }

            Dictionary<string, double> accuracy = Progress.Run(visible: true, "tasks", show =>
            {
                var figures = new Dictionary<string, double>();
                foreach (TaskData task in tasks)
                {
                    figures[task.Name] = Evaluation.Accuracy(model, byName[task.Name], task, cancellationToken: cancellationToken);
                    show(figures.Count, tasks.Count, task.Name);
                }

                return figures;
            });

            return new MethodResult(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), accuracy, null);
        }
        finally
        {
            foreach (TaskData task in tasks)
            {
                task.Dispose();
            }
        }
    }

    private static List<MethodResult> EvaluatePool(
        string folder,
        string heads,
        string data,
        string? json,
        IReadOnlyList<MergeMethod> methods,
        SmileFusionOptions options,
        ComputeOptions compute,
        CancellationToken cancellationToken)
    {
        using ModelPool pool = ModelPool.Open(folder);
        FusionArguments.RequireExperts(options.ExpertsPerToken, pool.Experts.Count);
        OutputFiles.Require([("--json", json)], PoolArguments.Files(pool, heads, data));
        using PoolEvaluation evaluation = PoolEvaluation.Open(pool, heads, data, compute);
        Func<MethodResult>[] steps =
        [
            () => evaluation.Pretrained(cancellationToken),
            () => evaluation.FineTuned(cancellationToken),
            () => evaluation.Average(cancellationToken),
            .. methods.Select(method => (Func<MethodResult>)(() => evaluation.Merged(method, cancellationToken))),
            () => evaluation.Smile(options, cancellationToken: cancellationToken),
            .. LowRankOracle(evaluation, options, cancellationToken),
            () => evaluation.Oracle(cancellationToken),
        ];
        return Progress.Run(visible: true, "methods", show =>
        {
            var results = new List<MethodResult>();
            foreach (Func<MethodResult> step in steps)
            {
                results.Add(step());
                show(results.Count, steps.Length, results[^1].Method);
            }

            return results;
        });
    }

    private static IEnumerable<Func<MethodResult>> LowRankOracle(PoolEvaluation evaluation, SmileFusionOptions options, CancellationToken cancellationToken)
        => options.ExpertRank is { } rank ? [() => evaluation.LowRankOracle(rank, cancellationToken)] : [];

    private static string Table(IReadOnlyList<MethodResult> results)
    {
        string[] tasks = [.. results[0].Accuracy.Keys];
        int first = results.Max(result => result.Method.Length);
        var lines = new List<string> { "".PadRight(first) + string.Concat(tasks.Append("average").Select(task => "  " + task.PadLeft(6))) };
        lines.AddRange(results.Select(result => result.Method.PadRight(first) + string.Concat(tasks
            .Select(task => (task, value: result.Accuracy[task]))
            .Append(("average", result.Average))
            .Select(cell => "  " + cell.Item2.ToString("F1", CultureInfo.InvariantCulture).PadLeft(Math.Max(6, cell.Item1.Length))))));
        return string.Join(Environment.NewLine, lines);
    }

    private static void Write(string path, IReadOnlyList<MethodResult> results)
    {
        var methods = new JsonObject();
        foreach (MethodResult result in results)
        {
            var figures = new JsonObject();
            foreach ((string task, double accuracy) in result.Accuracy)
            {
                figures[task] = Math.Round(accuracy, 4);
            }

            figures["avg"] = Math.Round(result.Average, 4);
            if (result.Parameters is { } parameters)
            {
                figures["parameters"] = parameters;
            }

            methods[result.Method] = figures;
        }

        string text = new JsonObject { ["methods"] = methods }.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
        AtomicFile.WriteAllText(path, text + "\n");
    }
}
