// Fuses the demo pool in an ML.NET pipeline and predicts ten digits. Run from the repository's root, or name the pool's folder.
using Microsoft.ML;
using Smile.ML;
using Smile.ML.Analysis;
using Smile.ML.Examples.QuickStart;
using Smile.ML.Fusion;

string folder = args.Length > 0 ? args[0] : "examples/demo-pool";
using ModelPool pool = ModelPool.Open(folder);
using TaskData data = TaskData.Open(Path.Combine(folder, "data", "plain_test.safetensors"));

var ml = new MLContext(seed: 0);
IDataView images = ml.Data.LoadFromEnumerable(
    Enumerable.Range(0, 10).Select(i => new DigitImage { Pixels = data.ReadImages(i, 1).Floats!, Label = data.Labels[i] }));
var options = new SmileOptions { InputColumnName = nameof(DigitImage.Pixels), HeadsFolder = Path.Combine(folder, "heads") };
var pipeline = ml.Transforms.Smile(pool, options)
    .Append(ml.Transforms.Conversion.MapKeyToValue(nameof(DigitPrediction.Predicted), "plain.PredictedLabel"));

using var model = pipeline.Fit(images);
foreach (DigitPrediction digit in ml.Data.CreateEnumerable<DigitPrediction>(model.Transform(images), reuseRowObject: false))
{
    Console.WriteLine($"digit {digit.Label}: predicted {digit.Predicted}");
}
