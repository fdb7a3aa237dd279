using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class ActivationAnalysisTests
{
    [TestMethod]
    public void InputOverlapIsTheCosineOfTheMeans()
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["base"], [1, 0, 0, 1], 2);
        using HuggingFaceFolder pretrained = HuggingFaceFolder.Open(folder["base"]);
        LayerInputOverlap layer = LayerInputOverlap.Measure(
            pretrained, [Sample("x", 3, 0, 1, 0), Sample("y", 0, 2), Sample("minus", -2, -2, 1, 1)]).Single();
        Assert.AreEqual("layers.0", layer.Layer);
        Assert.AreEqual(0, layer.Cosine[0, 1], 1e-12);

        // The sign does not count, as the router does not see it.
        Assert.AreEqual(Math.Sqrt(0.5), layer.Cosine[0, 2], 1e-12);
        Assert.AreEqual(1, layer.Cosine[2, 2], 1e-12);
    }

    [TestMethod]
    public void OnlyLayersThatAreUpscaledAreMeasured()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteClip(folder, 2));
        TaskSample[] samples = [.. new[] { "a", "b" }.Select((task, i) => new TaskSample(
            task, new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(new Random(i), 1, 3, 3, 8, 8) }))];
        IReadOnlyList<LayerInputOverlap> layers = LayerInputOverlap.Measure(pool.Pretrained, samples);
        CollectionAssert.AreEqual(
            WeightAnalysis.Measure(pool, new WeightAnalysisOptions { Zones = false }).Select(layer => layer.Layer).ToArray(),
            layers.Select(layer => layer.Layer).ToArray());
        foreach (LayerInputOverlap layer in layers)
        {
            Assert.AreEqual(1, layer.Cosine[0, 0], 1e-9);
            Assert.IsTrue(layer.Cosine[0, 1] is >= 0 and <= 1);
        }
    }

    [TestMethod]
    public void BlockErrorsAreRelativeToTheFineTunedModel()
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["tuned"], [2, 0, 0, 2], 2);
        WriteLayer(folder["other"], [2, 0, 0, 1], 2);
        using SmileModel tuned = SmileModel.Load(folder["tuned"]), other = SmileModel.Load(folder["other"]);

        // Outputs (2, 0) against (2, 0), and (0, 4) against (0, 2): errors 0 and 1/2.
        BlockError error = BlockError.Measure(tuned, other, Sample("x", 1, 0, 0, 2)).Single();
        Assert.AreEqual(0, error.Block);
        Assert.AreEqual(0.25, error.Error, 1e-9);
        Assert.AreEqual(0, BlockError.Measure(tuned, tuned, Sample("x", 1, 0, 0, 2)).Single().Error);
        Assert.AreEqual(0.5, BlockError.Mean([[new BlockError(0, 0.25)], [new BlockError(0, 0.75)]]).Single().Error);
    }

    [TestMethod]
    public void ClassTokensAreComparedAfterEveryTransformerBlock()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteClip(folder, 1));
        using SmileModel pretrained = SmileModel.Load(Path.Combine(pool.Location, "_pretrained_")), tuned = SmileModel.Load(pool.Experts[0].Location);
        var images = new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(new Random(2), 1, 3, 3, 8, 8) };
        IReadOnlyList<BlockError> errors = BlockError.Measure(tuned, pretrained, new TaskSample("a", images));
        Assert.AreEqual(2, errors.Count);

        // After the last block the class token is the first row of the last hidden state.
        float[] expected = tuned.Run(images)["last_hidden_state"].Floats!, found = pretrained.Run(images)["last_hidden_state"].Floats!;
        double mean = Enumerable.Range(0, 3).Average(image =>
        {
            int start = image * 5 * 16;
            double difference = Enumerable.Range(start, 16).Sum(i => Math.Pow((double)expected[i] - found[i], 2));
            return Math.Sqrt(difference / Enumerable.Range(start, 16).Sum(i => Math.Pow(expected[i], 2)));
        });
        Assert.AreEqual(mean, errors[1].Error, 1e-9);
    }

    [TestMethod]
    public void ScoreCorrelationComparesNormsOfProjectionsAndOutputs()
    {
        // Experts along the axes with strengths 1 and 3. Of (2, 1) the router prefers the first axis, but the second expert does more:
        // outputs 2 and 3. Of (3, 0.5) both prefer the first: outputs 3 and 1.5.
        using var folder = new TemporaryFolder();
        WriteLayer(folder["base"], [0, 0, 0, 0], 2);
        WriteLayer(folder["one"], [1, 0, 0, 0], 2);
        WriteLayer(folder["two"], [0, 0, 0, 3], 2);
        using ModelPool pool = ModelPool.Open(folder["base"], [KeyValuePair.Create("one", folder["one"]), KeyValuePair.Create("two", folder["two"])]);
        new SmileFusion().Fuse(pool, folder["fused"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        using SmileModel model = SmileModel.Load(folder["fused"]);
        Assert.AreEqual(-1, Correlation(2, 1));
        Assert.AreEqual(1, Correlation(3, 0.5f));
        Assert.AreEqual(0, Correlation(2, 1, 3, 0.5f));

        double Correlation(params float[] tokens)
        {
            ScoreCorrelation layer = ScoreCorrelation.Measure(fused, model, [Sample("x", tokens)]).Single();
            Assert.AreEqual(tokens.Length / 2, layer.Tokens);
            return layer.Correlation;
        }
    }

    [TestMethod]
    public void SpearmanRanksWithTies()
    {
        Assert.AreEqual(1, ScoreCorrelation.Spearman([1, 2, 3], [10, 100, 1000]), 1e-12);
        Assert.AreEqual(-1, ScoreCorrelation.Spearman([1, 2, 3], [3, 2, 1]), 1e-12);
        Assert.AreEqual(0, ScoreCorrelation.Spearman([1, 2, 3], [5, 5, 5]));

        // Ranks (0, 1.5, 1.5, 3) and (0, 1, 2, 3): 4.5 / sqrt(4.5 * 5).
        Assert.AreEqual(4.5 / Math.Sqrt(22.5), ScoreCorrelation.Spearman([1, 2, 2, 3], [1, 2, 3, 4]), 1e-12);
    }

    private static TaskSample Sample(string task, params float[] rows)
        => new(task, new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([rows.Length / 2, 2], rows) });

    private static void WriteLayer(string folder, float[] weight, int inputs)
        => TestPool.WriteModel(
            folder,
            new JsonObject { ["model_type"] = "mlp" },
            new Dictionary<string, HostTensor>
            {
                ["layers.0.weight"] = HostTensor.FromFloats([weight.Length / inputs, inputs], weight),
                ["layers.0.bias"] = HostTensor.FromFloats([weight.Length / inputs], new float[weight.Length / inputs]),
            });
}
