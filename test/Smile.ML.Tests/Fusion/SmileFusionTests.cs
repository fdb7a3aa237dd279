using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

[TestClass]
public sealed class SmileFusionTests
{
    [TestMethod]
    public void ASingleExpertOfFullRankIsTheFineTunedModel()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 1, [12, 20, 9], deltaRank: 20));
        foreach (int? rank in new int?[] { 64, null })
        {
            string fused = folder[$"fused {rank}"];
            new SmileFusion(new SmileFusionOptions { ExpertRank = rank }).Fuse(pool, fused);
            AssertClose(Run(pool.Experts[0].Location), Run(fused), 1e-5);
        }
    }

    [TestMethod]
    public void TruncationAddsTheBestLowRankDelta()
    {
        // D = diag(4, 3, 2, 1) in disguise would need an SVD here; a diagonal delta has its singular vectors on the axes.
        using var folder = new TemporaryFolder();
        WriteLayer(folder["_pretrained_"], new float[16], null);
        WriteLayer(folder["a"], [4, 0, 0, 0, 0, -3, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1], null);
        using ModelPool pool = Pool(folder, "a");
        new SmileFusion(new SmileFusionOptions { ExpertRank = 2 }).Fuse(pool, folder["fused"]);
        CollectionAssert.AreEqual(new float[] { 4, -6, 0, 0 }, Array.ConvertAll(Run(folder["fused"], [1, 2, 3, 4]), v => MathF.Round(v, 5)));
    }

    [TestMethod]
    public void RanksEndAtTheNumericalRankAndTheRouterStaysRectangular()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [40, 30], deltaRank: 3));
        FusionReport report = new SmileFusion(new SmileFusionOptions { ExpertRank = 20, RouterRank = 8 }).Fuse(pool, folder["fused"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        CollectionAssert.AreEqual(new long[] { 24, 40 }, fused.Tensors["layers.0.gate.weight"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 30, 3 }, fused.Tensors["layers.0.experts.2.u"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 3, 40 }, fused.Tensors["layers.0.experts.2.svh"].Shape.ToArray());
        float[] gate = fused.ReadFloats("layers.0.gate.weight");
        for (int row = 0; row < 24; row++)
        {
            double norm = gate.Skip(row * 40).Take(40).Sum(v => (double)v * v);
            Assert.AreEqual(row % 8 < 3 ? 1 : 0, norm, 1e-5, $"router row {row}");
        }

        Assert.AreEqual(fused.Tensors.Values.Sum(tensor => tensor.ElementCount), report.FusedParameters);
        Assert.AreEqual(30 * 41, report.PretrainedParameters);
        Assert.AreEqual("smile_mlp", fused.Config.ModelType);
        Assert.AreEqual(3, fused.Config.GetInt32("num_local_experts"));
        Assert.AreEqual(8, fused.Config.GetInt32("rank_of_router"));
        Assert.AreEqual(20, fused.Config.GetInt32("rank_of_expert"));
        CollectionAssert.AreEqual(new[] { "a", "b", "c" }, fused.Config.GetStringList("expert_names").ToArray());
    }

    [TestMethod]
    public void AnExpertThatLeftTheWeightAloneHasLogitZero()
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["_pretrained_"], [1, 0, 0, 1], [0, 0]);
        WriteLayer(folder["a"], [1, 0, 0, 1], [5, 5]);
        WriteLayer(folder["b"], [1, 0, 0, 3], [1, 1]);
        using ModelPool pool = Pool(folder, "a", "b");
        new SmileFusion(new SmileFusionOptions()).Fuse(pool, folder["fused"]);
        var routing = new Logits();
        using SmileModel model = SmileModel.Load(folder["fused"]);
        float[] y = model.Run(Input([7, 2]), observer: routing)["output"].Floats!;
        CollectionAssert.AreEqual(new float[] { 0, 2 }, routing.Last);
        CollectionAssert.AreEqual(new float[] { 8, 7 }, Array.ConvertAll(y, v => MathF.Round(v, 5)));
    }

    // FusionBench leaves a layer plain where all deltas are within 1e-8, but takes one expert's small delta apart as any other.
    [TestMethod]
    [DataRow(5e-9f, 3f, 1f, false)]
    [DataRow(5e-9f, 1e-8f, 0f, true)]
    [DataRow(5e-9f, 0f, 0f, true)]
    public void FusionBenchsZeroIsOfTheWholeLayer(float first, float second, float logit, bool isPlain)
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["_pretrained_"], [0, 0, 0, 0], [0, 0]);
        WriteLayer(folder["a"], [0, 0, 0, first], [0, 0]);
        WriteLayer(folder["b"], [second, 0, 0, 0], [0, 0]);
        using ModelPool pool = Pool(folder, "a", "b");
        var options = new SmileFusionOptions { RouterRank = 1, ExpertRank = 1, Compatibility = FusionCompatibility.FusionBench };
        FusionReport report = new SmileFusion(options).Fuse(pool, folder["fused"]);
        Assert.AreEqual(isPlain, report.Kept.ContainsKey("layers.0"));
        if (!isPlain)
        {
            var routing = new Logits();
            using SmileModel model = SmileModel.Load(folder["fused"]);
            model.Run(Input([7, logit]), observer: routing);
            CollectionAssert.AreEqual(new[] { logit, 7f }, routing.Last);
        }
    }

    [TestMethod]
    public void ALayerOfWhichOnlyBiasesChangedKeepsThem()
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["_pretrained_"], [1, 0, 0, 1], [0, 0]);
        WriteLayer(folder["a"], [1, 0, 0, 1], [1, 2]);
        WriteLayer(folder["b"], [1, 0, 0, 1], [3, 6]);
        using ModelPool alone = Pool(folder, "b"), both = Pool(folder, "a", "b");
        new SmileFusion(new SmileFusionOptions()).Fuse(alone, folder["alone"]);
        CollectionAssert.AreEqual(new float[] { 13, 26 }, Run(folder["alone"], [10, 20]));

        // Equal logits, so equal weights: with both experts chosen, the mean.
        new SmileFusion(new SmileFusionOptions { ExpertsPerToken = 2 }).Fuse(both, folder["both"]);
        CollectionAssert.AreEqual(new float[] { 12, 24 }, Run(folder["both"], [10, 20]));

        FusionReport report = new SmileFusion(new SmileFusionOptions { Compatibility = FusionCompatibility.FusionBench }).Fuse(both, folder["compatible"]);
        CollectionAssert.AreEqual(new float[] { 10, 20 }, Run(folder["compatible"], [10, 20]));
        Assert.AreEqual("all deltas zero", report.Kept["layers.0"]);
    }

    [TestMethod]
    public void AMissingBiasCountsAsZero()
    {
        using var folder = new TemporaryFolder();
        WriteLayer(folder["_pretrained_"], [1, 0, 0, 1], null);
        WriteLayer(folder["a"], [2, 0, 0, 1], [1, 1]);
        using (ModelPool pool = Pool(folder, "a"))
        {
            new SmileFusion().Fuse(pool, folder["gained"]);
        }

        AssertClose([21, 21], Run(folder["gained"], [10, 20]), 1e-6);
        using ModelPool reverse = ModelPool.Open(folder["a"], [KeyValuePair.Create("lost", folder["_pretrained_"])]);
        new SmileFusion().Fuse(reverse, folder["lost"]);
        AssertClose([10, 20], Run(folder["lost"], [10, 20]), 1e-6);
    }

    [TestMethod]
    public void SharedParametersAreAveragedAsAsked()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteClip(folder, 3));
        const string Held = "vision_model.embeddings.class_embedding", Leaf = "vision_model.pre_layrnorm.weight", Kept = "visual_projection.weight";
        foreach ((SharedParameters shared, bool held, bool leaf) in new[]
        {
            (SharedParameters.Pretrained, false, false), (SharedParameters.AverageLeaves, false, true), (SharedParameters.Average, true, true),
        })
        {
            var options = new SmileFusionOptions { Shared = shared, Keep = ["visual_*"] };
            new SmileFusion(options).Fuse(pool, folder[$"{shared}"]);
            using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder[$"{shared}"]);
            AssertClose(held ? Mean(pool, Held) : pool.Pretrained.ReadFloats(Held), fused.ReadFloats(Held), 1e-7);
            AssertClose(leaf ? Mean(pool, Leaf) : pool.Pretrained.ReadFloats(Leaf), fused.ReadFloats(Leaf), 1e-7);
            AssertClose(pool.Pretrained.ReadFloats(Kept), fused.ReadFloats(Kept), 0);
            Assert.AreEqual(TensorType.I64, fused.Tensors["vision_model.embeddings.position_ids"].Type);
        }
    }

    [TestMethod]
    public void NeitherThreadsNorTheMemoryLimitChangeABit()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 4, [300, 260, 200], deltaRank: 50));
        var options = new SmileFusionOptions { ExpertRank = 8, RouterRank = 4, Threads = 1 };
        new SmileFusion(options).Fuse(pool, folder["one"]);
        new SmileFusion(options with { Threads = 3 }).Fuse(pool, folder["three"]);
        new SmileFusion(options with { Threads = 3, MaxMemory = 2_500_000 }).Fuse(pool, folder["little"]);
        byte[] expected = File.ReadAllBytes(Path.Combine(folder["one"], "model.safetensors"));
        CollectionAssert.AreEqual(expected, File.ReadAllBytes(Path.Combine(folder["three"], "model.safetensors")));
        CollectionAssert.AreEqual(expected, File.ReadAllBytes(Path.Combine(folder["little"], "model.safetensors")));
    }

    [TestMethod]
    public void WhatDoesNotFitIsNamedAndNothingIsWritten()
    {
        (string Message, Action<string> Break)[] cases =
        [
            ("Expert b*tensor layers.0.weight is missing*F32 [8, 6]*", pool => TestPool.Edit(Path.Combine(pool, "b"), t => t.Remove("layers.0.weight"))),
            ("Expert b*tensor layers.1.weight is F32 [5, 7]*F32 [5, 8]*", pool => TestPool.Edit(Path.Combine(pool, "b"), t => t["layers.1.weight"] = HostTensor.FromFloats([5, 7], new float[35]))),
            ("Expert a*tensor extra, F32 [1]*", pool => TestPool.Edit(Path.Combine(pool, "a"), t => t["extra"] = HostTensor.FromFloats([1], [1]))),
            ("Expert a*model_type is \"other\"*\"mlp\"*", pool => File.WriteAllText(Path.Combine(pool, "a", "config.json"), """{"model_type":"other"}""")),
            ("*config.json*model_type is \"nonsense\"*mlp*", pool => Array.ForEach(["_pretrained_", "a", "b"], model => File.WriteAllText(Path.Combine(pool, model, "config.json"), """{"model_type":"nonsense"}"""))),
            ("*tensor layers.1.weight holds NaN at element 3*", pool => TestPool.Edit(Path.Combine(pool, "b"), t => t["layers.1.weight"].Floats![3] = float.NaN)),
            ("*tensor layers.0.bias holds*", pool => TestPool.Edit(Path.Combine(pool, "b"), t => t["layers.0.bias"].Floats![0] = float.PositiveInfinity)),
        ];
        foreach ((string message, Action<string> damage) in cases)
        {
            using var folder = new TemporaryFolder();
            string path = TestPool.WriteMlp(folder, 2, [6, 8, 5]);
            damage(path);
            SmileException exception = Assert.ThrowsExactly<SmileException>(() =>
            {
                using ModelPool pool = ModelPool.Open(path);
                new SmileFusion().Fuse(pool, folder["fused"]);
            });
            Assert.IsTrue(System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(message, exception.Message), exception.Message);
            CollectionAssert.AreEqual(new[] { "pool" }, folder.Names(), exception.Message);
        }
    }

    [TestMethod]
    public void AWeightOfAnotherTypeIsRefused()
    {
        using var folder = new TemporaryFolder();
        using (ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 1, [6, 8])))
        {
            new SmileFusion(new SmileFusionOptions { Precision = StoredPrecision.BF16, Keep = ["layers.0"] }).Fuse(pool, folder["narrow"]);
        }

        File.Copy(Path.Combine(folder["pool"], "a", "config.json"), Path.Combine(folder["narrow"], "config.json"), overwrite: true);
        using ModelPool mixed = ModelPool.Open(Path.Combine(folder["pool"], "_pretrained_"), [KeyValuePair.Create("narrow", folder["narrow"])]);
        SmileException exception = Assert.ThrowsExactly<SmileException>(() => new SmileFusion().Fuse(mixed, folder["fused"]));
        StringAssert.Contains(exception.Message, "is BF16 [8");
    }

    [TestMethod]
    public void OptionsOutOfRangeAreNamed()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 8]));
        foreach ((string name, SmileFusionOptions options) in new[]
        {
            ("ExpertRank", new SmileFusionOptions { ExpertRank = 0 }),
            ("RouterRank", new SmileFusionOptions { RouterRank = -1 }),
            ("ExpertsPerToken", new SmileFusionOptions { ExpertsPerToken = 3 }),
            ("MaxMemory", new SmileFusionOptions { MaxMemory = 100 }),
            ("nothing.*", new SmileFusionOptions { Keep = ["nothing.*"] }),
        })
        {
            SmileException exception = Assert.ThrowsExactly<SmileException>(() => new SmileFusion(options).Fuse(pool, folder["fused"]));
            StringAssert.Contains(exception.Message, name);
            CollectionAssert.AreEqual(new[] { "pool" }, folder.Names());
        }
    }

    [TestMethod]
    public void CancellingLeavesNothingAndOverwritingIsAskedFor()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 8, 8, 5]));
        using var source = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => new SmileFusion().Fuse(pool, folder["fused"], progress: new CancelAfter(source, 2), cancellationToken: source.Token));
        CollectionAssert.AreEqual(new[] { "pool" }, folder.Names());

        new SmileFusion().Fuse(pool, folder["fused"]);
        byte[] first = File.ReadAllBytes(Path.Combine(folder["fused"], "model.safetensors"));
        Assert.ThrowsExactly<SmileException>(() => new SmileFusion(new SmileFusionOptions { ExpertRank = 1 }).Fuse(pool, folder["fused"]));
        CollectionAssert.AreEqual(first, File.ReadAllBytes(Path.Combine(folder["fused"], "model.safetensors")));
        new SmileFusion(new SmileFusionOptions { ExpertRank = 1 }).Fuse(pool, folder["fused"], overwrite: true);
        CollectionAssert.AreNotEqual(first, File.ReadAllBytes(Path.Combine(folder["fused"], "model.safetensors")));
    }

    [TestMethod]
    public void InputsAreNeverReplaced()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 8]));
        Directory.CreateSymbolicLink(folder["link"], Path.Combine(folder["pool"], "b"));
        foreach (string output in new[] { folder["pool"], Path.Combine(folder["pool"], "a"), Path.Combine(folder["pool"], "_pretrained_") + "/", folder.Path, folder["link"] })
        {
            SmileException exception = Assert.ThrowsExactly<SmileException>(() => new SmileFusion().Fuse(pool, output, overwrite: true));
            StringAssert.Contains(exception.Message, "a model that is read");
        }

        new SmileFusion().Fuse(pool, Path.Combine(folder["pool"], "fused"), overwrite: true);
    }

    private static ModelPool Pool(TemporaryFolder folder, params string[] experts)
        => ModelPool.Open(folder["_pretrained_"], experts.Select(name => KeyValuePair.Create(name, folder[name])));

    private static void WriteLayer(string folder, float[] weight, float[]? bias)
    {
        int size = (int)Math.Sqrt(weight.Length);
        var tensors = new Dictionary<string, HostTensor> { ["layers.0.weight"] = HostTensor.FromFloats([size, size], weight) };
        if (bias is not null)
        {
            tensors["layers.0.bias"] = HostTensor.FromFloats([size], bias);
        }

        TestPool.WriteModel(folder, new JsonObject { ["model_type"] = "mlp" }, tensors);
    }

    private static Dictionary<string, HostTensor> Input(float[] x) => new() { ["x"] = HostTensor.FromFloats([1, x.Length], x) };

    private static float[] Run(string folder, float[]? x = null)
    {
        using SmileModel model = SmileModel.Load(folder);
        HostTensor input = x is null ? TestPool.Gaussian(new Random(1), 1, 10, model.Inputs[0].Shape[0]) : HostTensor.FromFloats([1, x.Length], x);
        return model.Run(new Dictionary<string, HostTensor> { ["x"] = input })["output"].Floats!;
    }

    private static float[] Mean(ModelPool pool, string name)
    {
        float[][] values = [.. pool.Experts.Select(expert => expert.Parameters.ReadFloats(name))];
        return [.. values[0].Select((_, i) => (float)values.Average(v => (double)v[i]))];
    }

    private static void AssertClose(float[] expected, float[] actual, double tolerance)
    {
        Assert.HasCount(expected.Length, actual);
        double scale = expected.Select(Math.Abs).Append(1f).Max();
        double difference = expected.Zip(actual, (x, y) => Math.Abs((double)x - y)).Max();
        Assert.IsTrue(difference <= tolerance * scale, $"off by {difference / scale:E2}");
    }

    private sealed class CancelAfter(CancellationTokenSource source, int layers) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value)
        {
            if (value.LayersDone == layers)
            {
                source.Cancel();
            }
        }
    }

    private sealed class Logits : IRoutingObserver
    {
        public float[] Last { get; private set; } = [];

        public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
            => Last = logits.ToArray();
    }
}
