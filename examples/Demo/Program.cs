// Fuses the demo pool inside an ML.NET pipeline, compares the result with the alternatives, and saves and reloads it.
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML;
using Smile.ML.Analysis;
using Smile.ML.Examples.Demo;
using Smile.ML.Fusion;
using Spectre.Console;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (Console.IsOutputRedirected)
{
    AnsiConsole.Console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
    AnsiConsole.Profile.Width = 100;
}

string folder = args.Length > 0 ? args[0] : Path.Combine("examples", "demo-pool");
if (!Directory.Exists(folder))
{
    AnsiConsole.MarkupLineInterpolated($"[red]{folder}: there is no such folder; run from the repository's root, or name a pool folder.[/]");
    return 1;
}

string heads = Path.Combine(folder, "heads"), data = Path.Combine(folder, "data");
using ModelPool pool = ModelPool.Open(folder);
AnsiConsole.Write(new Rule($"SMILE: {pool.Experts.Count} fine-tuned models become one") { Justification = Justify.Left });

// 1. Fuse, as any ML.NET estimator is fitted.
var ml = new MLContext(seed: 0);
using TaskImages images = TaskImages.Open(data);
var options = new SmileOptions
{
    InputColumnName = nameof(TaskImage.Pixels),
    OutputColumnName = "Embedding",
    HeadsFolder = heads,
    ExpertRank = 32,
    RouterRank = 16,
    ExpertsPerToken = 1,
};
IDataView rows = ml.Data.LoadFromEnumerable(images.Rows(), images.Schema);
using SmileTransformer model = AnsiConsole.Status().Start("Fusing ...", status =>
{
    ml.Log += (_, e) =>
    {
        if (e.RawMessage.StartsWith("Layer", StringComparison.Ordinal))
        {
            status.Status(Markup.Escape(e.RawMessage));
        }
    };
    return ml.Transforms.Smile(pool, options).Fit(rows);
});
FusionReport report = model.Report!;
Console.WriteLine($"Experts        {string.Join(", ", report.Experts)}");
Console.WriteLine($"Linear layers  {report.Upscaled.Count} routed, {report.Kept.Count} kept plain");
Console.WriteLine($"Parameters     {report.PretrainedParameters:N0} pretrained; {report.PretrainedParameters * pool.Experts.Count:N0} in {pool.Experts.Count} fine-tuned models; {report.FusedParameters:N0} fused");
Console.WriteLine($"Fused in       {report.Elapsed.TotalSeconds:F2} s, without data and without training");
Console.WriteLine();

// 2. Compare. The SMILE column is what the ML.NET transformer predicts; the others are evaluated on the models themselves.
using PoolEvaluation evaluation = PoolEvaluation.Open(pool, heads, data);
IReadOnlyDictionary<string, double> smile = images.Accuracy(ml, model);
MethodResult[] others = AnsiConsole.Status().Start("Evaluating ...", status =>
{
    MethodResult Evaluate(string what, Func<CancellationToken, MethodResult> evaluate)
    {
        status.Status($"Evaluating {what} ...");
        return evaluate(CancellationToken.None);
    }

    return new[]
    {
        Evaluate("the pretrained model", evaluation.Pretrained),
        Evaluate("the fine-tuned models", evaluation.FineTuned),
        Evaluate("their average", evaluation.Average),
        Evaluate("the routing oracle", evaluation.Oracle),
    };
});
AnsiConsole.Write(AccuracyTable.Create(evaluation.Tasks, others[0], others[1], others[2], smile, others[3]));
Console.WriteLine($"Accuracy in percent on {images.Count:N0} test images. SMILE keeps {100 * smile.Values.Average() / others[1].Average:F1}% of what the fine-tuned models reach.");
Console.WriteLine();

// 3. One prediction.
TaskImage sample = images.First("plain");
using (var engine = ml.Model.CreatePredictionEngine<TaskImage, TaskPrediction>(
    model, new PredictionEngineOptions { OwnsTransformer = false, InputSchemaDefinition = images.Schema }))
{
    TaskPrediction prediction = engine.Predict(sample);
    Console.WriteLine($"PredictionEngine: an image of \"plain\" labelled {sample.Label} is predicted as {TaskImages.ClassNames(heads, "plain")[(int)prediction.PlainLabel - 1]} (probability {prediction.PlainScore.Max():F3})");
}

// 4. Save, load, compare.
string zip = Path.Combine(Path.GetTempPath(), $"smile-demo-{Environment.ProcessId}.zip");
try
{
    ml.Model.Save(model, rows.Schema, zip);
    var fresh = new MLContext();
    fresh.RegisterSmile();
    ITransformer loaded = fresh.Model.Load(zip, out _);
    bool same = images.Embeddings(ml, model).SequenceEqual(images.Embeddings(fresh, loaded));
    (loaded as IDisposable)?.Dispose();
    Console.WriteLine($"Saved to a model zip of {new FileInfo(zip).Length / 1e6:F1} MB and loaded again: {(same ? "every embedding is bit-identical" : "THE EMBEDDINGS DIFFER")}");
    return same ? 0 : 1;
}
finally
{
    File.Delete(zip);
}
