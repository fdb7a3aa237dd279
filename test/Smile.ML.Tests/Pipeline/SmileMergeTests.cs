using Microsoft.ML;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Merged models in a pipeline.</summary>
[TestClass]
public sealed class SmileMergeTests : PipelineTest
{
    private static readonly float[][] Rows = TinyModels.Rows(7, TinyModels.MlpInputs);

    [TestMethod]
    [DataRow("simple-average")]
    [DataRow("ties keep=0.4")]
    public void AMergedPoolScoresAndSavesAsItsModel(string text)
    {
        MergeMethod method = MergeMethods.Parse(text);
        string folder = Path.Combine(Folder, "merged");
        method.Merge(Mlp, folder);
        using SmileModel model = SmileModel.Load(folder);
        var messages = new List<string>();
        Ml.Log += (_, message) => messages.Add(message.RawMessage);

        using SmileTransformer transformer = Ml.Transforms.Merge(Mlp, method, WithHeads(new SmileMergeOptions { InputColumnName = "Pixels" })).Fit(Load(Rows));
        AssertSameBits(Run(model, Rows), Column(transformer.Transform(Load(Rows)), "Embedding"));
        Assert.IsTrue(messages.Exists(message => message.StartsWith("Merged 3 experts (expert0, expert1, expert2) onto mlp", StringComparison.Ordinal)
            && message.Contains($"by {method};", StringComparison.Ordinal)));

        using var file = new MemoryStream();
        Ml.Model.Save(transformer, null, file);
        file.Position = 0;
        using var loaded = (SmileTransformer)new MLContext().Model.Load(file, out _);
        AssertSameBits(Column(transformer.Transform(Load(Rows)), "signs.Score"), Column(loaded.Transform(Load(Rows)), "signs.Score"));
    }

    [TestMethod]
    public void WhatCantBeMergedIsToldByFit()
    {
        using ModelPool pool = Mlp.Select("expert0");
        Assert.Contains(
            "weights",
            Assert.ThrowsExactly<SmileException>(
                () => Ml.Transforms.Merge(pool, new WeightedAverage { Weights = [1, 2] }, new() { InputColumnName = "Pixels" }).Fit(Load(Rows))).Message);
    }

    [TestMethod]
    public void OptionsOutOfRangeAreToldAtOnce()
    {
        AssertRefused(new() { WeightsInZip = false }, "ModelFolder");
        AssertRefused(new() { ModelFolder = "" }, "ModelFolder");
        AssertRefused(new() { BatchSize = 0 }, "BatchSize is 0");
        AssertRefused(new() { Threads = 0 }, "Threads is 0");
        AssertRefused(new() { Precision = (StoredPrecision)9 }, "Precision is 9");
        AssertRefused(new() { Tasks = { "digits" } }, "HeadsFolder");

        void AssertRefused(SmileMergeOptions options, string words)
            => Assert.Contains(words, Assert.ThrowsExactly<SmileException>(() => Ml.Transforms.Merge(Mlp, new SimpleAverage(), options)).Message);
    }

    [TestMethod]
    public void AMergedModelIsKeptInItsFolderInTheElementTypeAskedFor()
    {
        string folder = Path.Combine(Folder, "kept");
        var options = new SmileMergeOptions { InputColumnName = "Pixels", ModelFolder = folder, Precision = StoredPrecision.BF16 };
        SmileEstimator estimator = Ml.Transforms.Merge(Mlp, new SimpleAverage(), options);
        (options.ModelFolder, options.Precision) = (null, StoredPrecision.F16);
        estimator.Fit(Load(Rows)).Dispose();

        using HuggingFaceFolder kept = HuggingFaceFolder.Open(folder);
        Assert.IsTrue(kept.Tensors.Values.All(tensor => tensor.Type == TensorType.BF16));
    }
}
