using Microsoft.ML;
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

        using SmileTransformer transformer = Ml.Transforms.Merge(Mlp, method, inputColumnName: "Pixels", heads: OptionsWithHeads.Heads).Fit(Load(Rows));
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
                () => Ml.Transforms.Merge(pool, new WeightedAverage { Weights = [1, 2] }, inputColumnName: "Pixels").Fit(Load(Rows))).Message);
        Assert.Contains(
            "ModelFolder", Assert.ThrowsExactly<SmileException>(() => Ml.Transforms.Merge(Mlp, new SimpleAverage(), weightsInZip: false)).Message);
    }
}
