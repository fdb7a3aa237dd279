using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

[TestClass]
public sealed class AdapterExpertTests
{
    private const string Prefix = TestAdapter.Prefix;
    private const string Norm = "vision_model.pre_layrnorm";
    private const string Projection = "visual_projection";

    [TestMethod]
    public void AdaptersFuseLikeTheModelsTheyMergeTo()
    {
        // 140 wide: past the sizes that a dense delta's decomposition solves in full, so that the two take different routes.
        int[] widths = [150, 140, 130];
        using var folder = new TemporaryFolder();
        string pretrained = Path.Combine(TestPool.WriteMlp(folder, 1, widths), "_pretrained_");
        var adapters = new List<KeyValuePair<string, string>>();
        var merged = new List<KeyValuePair<string, string>>();
        foreach ((string name, int rank, bool stabilised, double scale) in new[] { ("a", 3, false, 5 / 3.0), ("b", 4, true, 5 / 2.0) })
        {
            Dictionary<string, HostTensor> factors = TestAdapter.MlpFactors(name[0], rank, widths);
            JsonObject config = TestAdapter.Config(("r", rank), ("lora_alpha", 5), ("use_rslora", stabilised), ("fan_in_fan_out", true));
            adapters.Add(KeyValuePair.Create(name, TestAdapter.Write(folder[name], config, factors)));

            Dictionary<string, HostTensor> whole = TensorFile.Read(Path.Combine(pretrained, "model.safetensors"));
            for (int i = 0; i < 2; i++)
            {
                TestAdapter.Merge(whole[$"layers.{i}.weight"], factors[$"{Prefix}layers.{i}.lora_B.weight"], factors[$"{Prefix}layers.{i}.lora_A.weight"], scale);
            }

            merged.Add(KeyValuePair.Create(name, TestPool.WriteModel(folder[$"{name} merged"], new JsonObject { ["model_type"] = "mlp", ["hidden_act"] = "relu" }, whole)));
            AssertClose(Run(SmileModel.Load(merged[^1].Value)), Run(SmileModel.LoadAdapter(folder[name], pretrained)), 1e-6);
        }

        foreach (int? rank in new int?[] { 2, 20, null })
        {
            var options = new SmileFusionOptions { ExpertRank = rank, RouterRank = 3, ExpertsPerToken = 2 };
            float[] expected = FuseAndRun(pretrained, merged, options, folder[$"merged {rank}"]);
            AssertClose(expected, FuseAndRun(pretrained, adapters, options, folder[$"adapters {rank}"]), 1e-5);
            AssertClose(expected, FuseAndRun(pretrained, [adapters[0], merged[1]], options, folder[$"mixed {rank}"]), 1e-5);
        }

        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["adapters 20"]);
        CollectionAssert.AreEqual(new long[] { 140, 3 }, fused.Tensors["layers.0.experts.0.u"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 4, 140 }, fused.Tensors["layers.1.experts.1.svh"].Shape.ToArray());
    }

    [TestMethod]
    public void ALayerThatAnAdapterLeavesOrZeroesHasNoDelta()
    {
        using var folder = new TemporaryFolder();
        string pretrained = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8, 5]), "_pretrained_");
        var random = new Random(1);
        Dictionary<string, HostTensor> zeroed = TestAdapter.Factors(random, "layers.1", 5, 8, 2);
        Array.Clear(zeroed[$"{Prefix}layers.1.lora_B.weight"].Floats!);
        using ModelPool pool = ModelPool.Open(
            pretrained,
            [
                KeyValuePair.Create("first", TestAdapter.Write(folder["first"], TestAdapter.Config(), TestAdapter.Factors(random, "layers.0", 8, 6, 2))),
                KeyValuePair.Create("zeroed", TestAdapter.Write(folder["zeroed"], TestAdapter.Config(), zeroed)),
            ]);
        FusionReport report = new SmileFusion().Fuse(pool, folder["fused"]);
        CollectionAssert.AreEqual(new[] { "layers.0" }, report.Upscaled.ToArray());
        Assert.AreEqual("all deltas zero", report.Kept["layers.1"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        Assert.IsTrue(fused.Tensors.ContainsKey("layers.0.experts.0.u"));
        Assert.IsFalse(fused.Tensors.ContainsKey("layers.0.experts.1.u"));
    }

    [TestMethod]
    public void WholeParametersBiasesAndEmbeddingsAreReplacedAndTheRestIsTheBases()
    {
        const string Positions = "vision_model.embeddings.position_embedding";
        using var folder = new TemporaryFolder();
        string pretrained = Path.Combine(TestPool.WriteClip(folder, 1), "_pretrained_");
        var random = new Random(3);
        HostTensor projection = TestPool.Gaussian(random, 1, 12, 16), norm = TestPool.Gaussian(random, 1, 16), bias = TestPool.Gaussian(random, 1, 16);
        HostTensor a = TestPool.Gaussian(random, 1, 2, 5), b = TestPool.Gaussian(random, 1, 16, 2);
        const string Layer = "vision_model.encoder.layers.0.self_attn.q_proj";
        Dictionary<string, HostTensor> tensors = TestAdapter.Factors(random, Layer, 16, 16, 2);
        tensors[$"{Prefix}{Projection}.weight"] = projection;
        tensors[$"{Prefix}{Norm}.modules_to_save.default.weight"] = norm;
        tensors[$"{Prefix}{Norm}.modules_to_save.default.bias"] = norm;
        tensors[$"{Prefix}{Layer}.base_layer.bias"] = bias;
        tensors[$"{Prefix}{Positions}.lora_embedding_A"] = a;
        tensors[$"{Prefix}{Positions}.lora_embedding_B.default"] = b;
        JsonObject config = TestAdapter.Config(("modules_to_save", new JsonArray("projection", "pre_layrnorm")), ("bias", "all"));
        TestAdapter.Write(folder["adapter"], config, tensors);

        using ModelPool pool = ModelPool.Open(pretrained, [KeyValuePair.Create("adapter", folder["adapter"])]);
        ITensorSource merged = pool.Experts[0].Parameters;
        CollectionAssert.AreEqual(projection.Floats, merged.ReadFloats($"{Projection}.weight"));
        CollectionAssert.AreEqual(norm.Floats, merged.ReadFloats($"{Norm}.weight"));
        CollectionAssert.AreEqual(bias.Floats, merged.ReadFloats($"{Layer}.bias"));
        HostTensor positions = HostTensor.FromFloats([5, 16], pool.Pretrained.ReadFloats($"{Positions}.weight"));
        TestAdapter.Merge(positions, Transpose(a), Transpose(b), 1.5);
        AssertClose(positions.Floats!, merged.ReadFloats($"{Positions}.weight"), 1e-6);
        HashSet<string> changed = [$"{Projection}.weight", $"{Norm}.weight", $"{Norm}.bias", $"{Layer}.weight", $"{Layer}.bias", $"{Positions}.weight"];
        foreach (string name in pool.Pretrained.Tensors.Keys)
        {
            Assert.AreEqual(!changed.Contains(name), pool.Pretrained.ReadBytes(name).AsSpan().SequenceEqual(merged.ReadBytes(name)), name);
        }

        // A replaced linear layer is an expert of its own whole delta; what is not linear follows the option.
        new SmileFusion(new SmileFusionOptions { ExpertRank = 16, Shared = SharedParameters.Average }).Fuse(pool, folder["fused"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        CollectionAssert.AreEqual(new long[] { 12, 12 }, fused.Tensors[$"{Projection}.experts.0.u"].Shape.ToArray());
        AssertClose(norm.Floats!, fused.ReadFloats($"{Norm}.weight"), 1e-7);
        AssertClose(
            pool.Pretrained.ReadFloats("vision_model.post_layernorm.weight"), fused.ReadFloats("vision_model.post_layernorm.weight"), 0);
    }

    [TestMethod]
    public void TheBytesOfAMergedWeightAreThoseOfItsValues()
    {
        using var folder = new TemporaryFolder();
        string pretrained = Path.Combine(TestPool.WriteMlp(folder, 1, [2100, 3]), "_pretrained_");
        TestAdapter.Write(folder["adapter"], TestAdapter.Config(), TestAdapter.MlpFactors(1, 2, 2100, 3));
        using ModelPool pool = ModelPool.Open(pretrained, [KeyValuePair.Create("adapter", folder["adapter"])]);
        ITensorSource merged = pool.Experts[0].Parameters;
        float[] values = merged.ReadFloats("layers.0.weight");
        byte[] expected = MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
        var random = new Random(5);
        for (int i = 0; i < 50; i++)
        {
            int start = random.Next(expected.Length), length = random.Next(expected.Length - start);
            var bytes = new byte[length];
            merged.ReadBytes("layers.0.weight", start, bytes);
            Assert.IsTrue(expected.AsSpan(start, length).SequenceEqual(bytes), $"{length} bytes from {start}");
            var part = new float[length / 4];
            merged.ReadFloats("layers.0.weight", start / 4, part);
            Assert.IsTrue(values.AsSpan(start / 4, part.Length).SequenceEqual(part), $"{part.Length} values from {start / 4}");
        }
    }

    [TestMethod]
    public void WhatDoesNotFitIsNamed()
    {
        (string Message, Action<JsonObject, Dictionary<string, HostTensor>> Break)[] cases =
        [
            ("Expert x*layers.7.lora_A.weight, F32 [2, 6]*no linear layer layers.7*", (_, t) => Move(t, "layers.0", "layers.7")),
            ("Expert x*layers.0.lora_A.weight is F32 [2, 7]; expected [2, 6], to fit layers.0.weight, F32 [8, 6]*", (_, t) => t[$"{Prefix}layers.0.lora_A.weight"] = Zeros(2, 7)),
            ("Expert x*layers.1.lora_B.weight is F32 [4, 2]; expected [5, 2]*", (_, t) => t[$"{Prefix}layers.1.lora_B.weight"] = Zeros(4, 2)),
            ("*layers.1.lora_B.weight*found F32 [5, 3]; expected [any, 2]*adapter_config.json*", (_, t) => t[$"{Prefix}layers.1.lora_B.weight"] = Zeros(5, 3)),
            ("*layers.0.lora_A.weight*found F32 [2, 6]; expected [4, any]*", (c, _) => c["rank_pattern"] = new JsonObject { ["layers.0"] = 4 }),
            ("*'layers.1' has only one of lora_A and lora_B*", (_, t) => t.Remove($"{Prefix}layers.1.lora_A.weight")),
            ("Expert x*layers.1.lora_A.weight; expected only modules that target_modules*", (c, _) => c["target_modules"] = new JsonArray("0")),
            ("Expert x*no lora_A and lora_B for layers.1; expected*", (c, t) =>
            {
                c["target_modules"] = @"layers\.\d";
                t.Remove($"{Prefix}layers.1.lora_A.weight");
                t.Remove($"{Prefix}layers.1.lora_B.weight");
            }),
            ("Expert x*no tensor for layers.1.*; expected one, since modules_to_save*", (c, t) => c["modules_to_save"] = new JsonArray("layers.1")),
            ("Expert x*layers.1.bias is F32 [4]; expected [5]*", (_, t) => t[$"{Prefix}layers.1.bias"] = HostTensor.FromFloats([4], new float[4])),
            ("Expert x*found tensor base_model.model.score.weight*no parameter score.weight*", (_, t) => t[$"{Prefix}score.weight"] = Zeros(1, 1)),
            ("*found tensor 'layers.0.weight'*'base_model.model.'*", (_, t) => t["layers.0.weight"] = Zeros(8, 6)),
            ("*lora_magnitude_vector'*not supported*", (_, t) => t[$"{Prefix}layers.0.lora_magnitude_vector"] = HostTensor.FromFloats([8], new float[8])),
            ("*layers.0.lora_A.weight*a second one for 'layers.0'*", (_, t) => t[$"{Prefix}layers.0.lora_A.other.weight"] = Zeros(2, 6)),
            ("*tensor base_model.model.layers.1.lora_A.weight holds NaN at element 3*", (_, t) => t[$"{Prefix}layers.1.lora_A.weight"].Floats![3] = float.NaN),
            ("*layers.0.lora_B.weight holds*", (_, t) => t[$"{Prefix}layers.0.lora_B.weight"].Floats![0] = float.PositiveInfinity),
            ("*peft_type is 'LOHA'; supported: 'LORA'*", (c, _) => c["peft_type"] = "LOHA"),
            ("*'use_dora': found true*not supported*", (c, _) => c["use_dora"] = true),
            ("*'init_lora_weights': found 'pissa_niter_4'; supported: true, false, 'gaussian'*", (c, _) => c["init_lora_weights"] = "pissa_niter_4"),
            ("*'layer_replication'*not supported*", (c, _) => c["layer_replication"] = new JsonArray(new JsonArray(0, 1))),
            ("*'bias': found 'some'*'none', 'all', 'lora_only'*", (c, _) => c["bias"] = "some"),
            ("*'target_modules': is not a regular expression*", (c, _) => c["target_modules"] = "layers("),
            ("*key 'r': found 0; expected an integer*", (c, _) => c["r"] = 0),
        ];
        foreach ((string message, Action<JsonObject, Dictionary<string, HostTensor>> damage) in cases)
        {
            using var folder = new TemporaryFolder();
            string pretrained = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8, 5]), "_pretrained_");
            JsonObject config = TestAdapter.Config();
            Dictionary<string, HostTensor> tensors = TestAdapter.MlpFactors(1, 2, 6, 8, 5);
            damage(config, tensors);
            TestAdapter.Write(folder["x"], config, tensors);
            SmileException exception = Assert.ThrowsExactly<SmileException>(() =>
            {
                using ModelPool pool = ModelPool.Open(pretrained, [KeyValuePair.Create("x", folder["x"])]);
                new SmileFusion().Fuse(pool, folder["fused"]);
            }, message);
            Assert.IsTrue(FileSystemName.MatchesSimpleExpression(message, exception.Message), $"{exception.Message} instead of {message}");
            CollectionAssert.AreEqual(new[] { "pool", "x" }, folder.Names(), message);
        }
    }

    [TestMethod]
    public void AFolderIsAnAdapterOrAModel()
    {
        using var folder = new TemporaryFolder();
        string pretrained = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8]), "_pretrained_");
        TestAdapter.Write(folder["x"], TestAdapter.Config(), TestAdapter.MlpFactors(1, 2, 6, 8));
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => SmileModel.Load(folder["x"])).Message, "is an adapter");
        File.Copy(Path.Combine(pretrained, "model.safetensors"), Path.Combine(folder["x"], "model.safetensors"));
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => SmileModel.LoadAdapter(folder["x"], pretrained)).Message, "found both");
        File.Delete(Path.Combine(folder["x"], "model.safetensors"));
        File.Move(Path.Combine(folder["x"], "adapter_model.safetensors"), Path.Combine(folder["x"], "adapter_model.bin"));
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => SmileModel.LoadAdapter(folder["x"], pretrained)).Message, "nothing is unpickled");
    }

    [TestMethod]
    public void AWeightThatTwoModulesShareIsNotAdapted()
    {
        using var folder = new TemporaryFolder();
        string qwen = Golden.PathOf("qwen2", "_pretrained_");
        using HuggingFaceFolder pretrained = HuggingFaceFolder.Open(qwen);
        LinearLayerInfo? head = NetworkManifest.Read(pretrained.Config, pretrained).LinearLayers.FirstOrDefault(layer => layer.IsTied);
        Assert.IsNotNull(head, "the golden qwen2 has a tied head");
        Dictionary<string, HostTensor> tensors = TestAdapter.Factors(new Random(1), head.Name, head.Outputs, head.Inputs, 2);
        TestAdapter.Write(folder["head"], TestAdapter.Config(), tensors);
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => SmileModel.LoadAdapter(folder["head"], qwen)).Message, "share one weight");

        string table = head.WeightName[..^".weight".Length];
        TestAdapter.Write(folder["table"], TestAdapter.Config(), new Dictionary<string, HostTensor>
        {
            [$"{Prefix}{table}.lora_embedding_A"] = Zeros(2, head.Outputs),
            [$"{Prefix}{table}.lora_embedding_B"] = Zeros(head.Inputs, 2),
        });
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => SmileModel.LoadAdapter(folder["table"], qwen)).Message, "share one weight");
    }

    private static HostTensor Zeros(int rows, int columns) => HostTensor.FromFloats([rows, columns], new float[rows * columns]);

    private static void Move(Dictionary<string, HostTensor> tensors, string from, string to)
    {
        foreach (string name in tensors.Keys.Where(name => name.Contains(from, StringComparison.Ordinal)).ToList())
        {
            tensors.Remove(name, out HostTensor? tensor);
            tensors[name.Replace(from, to, StringComparison.Ordinal)] = tensor!;
        }
    }

    private static HostTensor Transpose(HostTensor matrix)
    {
        int rows = (int)matrix.Shape[0], columns = (int)matrix.Shape[1];
        return HostTensor.FromFloats([columns, rows], [.. Enumerable.Range(0, rows * columns).Select(i => matrix.Floats![(i % rows * columns) + (i / rows)])]);
    }

    private static float[] FuseAndRun(string pretrained, IEnumerable<KeyValuePair<string, string>> experts, SmileFusionOptions options, string output)
    {
        using ModelPool pool = ModelPool.Open(pretrained, experts);
        new SmileFusion(options).Fuse(pool, output);
        return Run(SmileModel.Load(output));
    }

    private static float[] Run(SmileModel model)
    {
        using (model)
        {
            HostTensor input = TestPool.Gaussian(new Random(1), 1, 10, model.Inputs[0].Shape[0]);
            return model.Run(new Dictionary<string, HostTensor> { ["x"] = input })["output"].Floats!;
        }
    }

    private static void AssertClose(float[] expected, float[] actual, double tolerance)
    {
        Assert.HasCount(expected.Length, actual);
        double scale = expected.Select(Math.Abs).Append(1f).Max();
        double difference = expected.Zip(actual, (x, y) => Math.Abs((double)x - y)).Max();
        Assert.IsTrue(difference <= tolerance * scale, $"off by {difference / scale:E2}");
    }
}
