using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Networks;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

/// <summary>Pools whose models don't have their heads in common, as published bases and models fine-tuned from them.</summary>
[TestClass]
public sealed class TaskHeadFusionTests
{
    private static readonly SmileFusionOptions Exact = new() { ExpertRank = null, Shared = SharedParameters.Average };

    [TestMethod]
    [DataRow("bert", null, false)]
    [DataRow("bert", null, true)]
    [DataRow("bert", 3, false)]
    [DataRow("roberta", null, false)]
    [DataRow("roberta", 3, false)]
    [DataRow("vit", null, true)]
    [DataRow("vit", 3, false)]
    public void ASingleExpertOfFullRankKeepsItsLogits(string type, int? pretrainedClasses, bool bare)
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, type).Pretrained(pretrainedClasses, bare).Expert("a", 5);
        FusionReport report = pool.Fuse(Exact);
        using SmileModel fused = pool.Load("fused"), expert = pool.Load("a");
        IReadOnlyDictionary<string, HostTensor> expected = expert.Run(pool.Inputs()), actual = fused.Run(pool.Inputs());

        Assert.IsFalse(actual.ContainsKey("logits"), "the pretrained model's head is nobody's");
        CollectionAssert.AreEqual(new long[] { 2, 5 }, actual["a.logits"].Shape.ToArray());
        AssertClose(expected["logits"].Floats!, actual["a.logits"].Floats!);
        AssertClose(expected["last_hidden_state"].Rows(0, 4), actual["last_hidden_state"].Rows(0, 4));
        CollectionAssert.AreEqual(new[] { "a" }, report.TaskHeads["classifier"].ToArray());
        Assert.AreEqual(pool.Tensors("fused").Values.Sum(tensor => tensor.Floats!.Length), report.FusedParameters);
    }

    [TestMethod]
    [DataRow("bert")]
    [DataRow("roberta")]
    [DataRow("vit")]
    public void EveryExpertsOwnHeadSeesTheSharedTrunk(string type)
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, type).Pretrained(2).Expert("a", 3).Expert("b", 5).Expert("c", null);
        FusionReport report = pool.Fuse();
        using SmileModel fused = pool.Load("fused");
        CollectionAssert.IsSubsetOf(new[] { "a.logits", "b.logits" }, fused.Outputs.Select(port => port.Name).ToArray());
        IReadOnlyDictionary<string, HostTensor> outputs = fused.Run(pool.Inputs());
        foreach ((string name, int classes) in new[] { ("a", 3), ("b", 5) })
        {
            var head = new Reference(pool.Tensors(name));
            for (int sample = 0; sample < 2; sample++)
            {
                double[][] vector = [[.. outputs[type == "bert" ? "pooler_output" : "last_hidden_state"].Rows(sample).Select(value => (double)value)]];
                double[][] logits = type == "roberta"
                    ? head.Linear("classifier.out_proj", Reference.Map(head.Linear("classifier.dense", vector), Math.Tanh))
                    : head.Linear("classifier", vector);
                Reference.AssertClose($"{name} {sample}", logits[0], outputs[$"{name}.logits"].Rows(sample));
            }

            // Alone, an output is computed as among all.
            CollectionAssert.AreEqual(outputs[$"{name}.logits"].Floats, fused.Run(pool.Inputs(), [$"{name}.logits"]).Single().Value.Floats);
        }

        Assert.IsFalse(fused.Outputs.Any(port => port.Name is "logits" or "c.logits"));
        CollectionAssert.AreEqual(new[] { "a", "b" }, report.TaskHeads["classifier"].ToArray());
        CollectionAssert.AreEqual(new[] { "a", "b" }, CheckpointSummary.Read(folder["fused"]).TaskHeads["classifier"].ToArray());
        Assert.IsFalse(report.Upscaled.Concat(report.Kept.Keys).Any(layer => layer.Contains("classifier")));
        CollectionAssert.AreEqual(
            pool.Tensors("b").Single(tensor => tensor.Key is "classifier.weight" or "classifier.out_proj.weight").Value.Floats,
            pool.Tensors("fused").Single(tensor => tensor.Key is "task_heads.b.classifier.weight" or "task_heads.b.classifier.out_proj.weight").Value.Floats);
    }

    [TestMethod]
    public void AHeadOfOneShapeEverywhereIsUpscaled()
    {
        using var folder = new TemporaryFolder();
        FusionReport report = new HeadPool(folder, "bert").Pretrained(3).Expert("a", 3).Expert("b", 3, tensors => tensors.Remove("classifier.bias")).Fuse();
        Assert.IsEmpty(report.TaskHeads);
        CollectionAssert.IsSubsetOf(new[] { "classifier", "bert.pooler.dense" }, report.Upscaled.ToArray());
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        Assert.IsFalse(fused.Config.Has("task_heads"));
    }

    [TestMethod]
    public void APoolerThatNotAllHaveStaysWithItsExpert()
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, "bert").Pretrained(null, edit: RemovePooler).Expert("a", 3).Expert("b", null, RemovePooler);
        FusionReport report = pool.Fuse();
        CollectionAssert.AreEquivalent(new[] { "bert.pooler", "classifier" }, report.TaskHeads.Keys.ToArray());
        using SmileModel fused = pool.Load("fused");
        IReadOnlyDictionary<string, HostTensor> outputs = fused.Run(pool.Inputs());
        CollectionAssert.AreEquivalent(new[] { "last_hidden_state", "a.logits", "a.pooler_output" }, outputs.Keys.ToArray());
        var head = new Reference(pool.Tensors("a"));
        double[][] first = [[.. outputs["last_hidden_state"].Rows(0).Select(value => (double)value)]];
        double[][] pooled = Reference.Map(head.Linear("bert.pooler.dense", first), Math.Tanh);
        Reference.AssertClose("pooled", pooled[0], outputs["a.pooler_output"].Rows(0));
        Reference.AssertClose("logits", head.Linear("classifier", pooled)[0], outputs["a.logits"].Rows(0));

        // A classifier whose pooler is nowhere is no model to fuse.
        pool.Expert("c", 3, RemovePooler);
        Assert.Contains("task_heads.c.bert.pooler.dense.weight is missing", Assert.ThrowsExactly<SmileException>(() => pool.Fuse()).Message);
    }

    [TestMethod]
    public void PublishedCheckpointsAreReadUnderTheirPresentNames()
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, "bert").Pretrained(null, edit: tensors =>
        {
            foreach (string name in tensors.Keys.Where(name => name.Contains("LayerNorm")).ToArray())
            {
                tensors.Remove(name, out HostTensor? tensor);
                tensors[name.Replace(".weight", ".gamma", StringComparison.Ordinal).Replace(".bias", ".beta", StringComparison.Ordinal)] = tensor!;
            }

            tensors["cls.predictions.bias"] = HostTensor.FromFloats([20], new float[20]);
        }).Expert("a", 3);
        pool.Fuse(Exact);
        Dictionary<string, HostTensor> fused = pool.Tensors("fused");
        Assert.IsTrue(fused.ContainsKey("bert.encoder.layer.1.output.LayerNorm.weight"));
        Assert.IsFalse(fused.Keys.Any(name => name.EndsWith("gamma", StringComparison.Ordinal) || name.EndsWith("beta", StringComparison.Ordinal) || name.StartsWith("cls.", StringComparison.Ordinal)));
        using SmileModel model = pool.Load("fused"), expert = pool.Load("a"), pretrained = pool.Load("_pretrained_");
        AssertClose(expert.Run(pool.Inputs())["logits"].Floats!, model.Run(pool.Inputs())["a.logits"].Floats!);
        Assert.HasCount(2, pretrained.Outputs);
    }

    [TestMethod]
    public void BuffersThatTheNetworkComputesAreNotCompared()
    {
        using var folder = new TemporaryFolder();
        var model = new Networks.Decoders.TinyDecoder("llama");
        model.Write(folder["a"]);
        model.Tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = HostTensor.FromFloats([3], [1, 0.5f, 0.1f]);
        model.Write(folder["_pretrained_"]);
        using ModelPool pool = ModelPool.Open(folder["_pretrained_"], [KeyValuePair.Create("a", folder["a"])]);
        new SmileFusion().Fuse(pool, folder["fused"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        Assert.IsFalse(fused.Tensors.Keys.Any(name => name.Contains("rotary")));
    }

    [TestMethod]
    public void AnAdaptersSavedHeadIsItsOwn()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(4);
        HeadPool pool = new HeadPool(folder, "bert").Pretrained(null, bare: true).Expert("a", 3).Written("lora");
        const string Layer = "bert.encoder.layer.0.attention.self.query";
        Dictionary<string, HostTensor> tensors = TestAdapter.Factors(random, Layer, 12, 12, 2);
        tensors[$"{TestAdapter.Prefix}classifier.weight"] = TestPool.Gaussian(random, 0.5f, 4, 12);
        tensors[$"{TestAdapter.Prefix}classifier.bias"] = TestPool.Gaussian(random, 0.5f, 4);
        JsonObject config = TestAdapter.Config(("target_modules", new JsonArray("query")), ("layers_to_transform", new JsonArray(0)), ("modules_to_save", new JsonArray("classifier")));
        TestAdapter.Write(folder["lora"], config, tensors);

        FusionReport report = pool.Fuse();
        CollectionAssert.AreEqual(new[] { "a", "lora" }, report.TaskHeads["classifier"].ToArray());
        CollectionAssert.AreEqual(tensors[$"{TestAdapter.Prefix}classifier.weight"].Floats, pool.Tensors("fused")["task_heads.lora.classifier.weight"].Floats);

        // Alone and of full rank, it is the adapter on its base.
        using ModelPool all = pool.Open();
        new SmileFusion(new SmileFusionOptions { ExpertRank = 2 }).Fuse(all.Select("lora"), folder["alone"]);
        using SmileModel alone = pool.Load("alone"), merged = SmileModel.LoadAdapter(folder["lora"], folder["_pretrained_"]);
        AssertClose(merged.Run(pool.Inputs())["logits"].Floats!, alone.Run(pool.Inputs())["lora.logits"].Floats!);
    }

    [TestMethod]
    public void WhatHeadsDontExcuseIsNamed()
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, "vit").Pretrained(null).Expert("a", 3).Expert("b", 5);
        using (ModelPool models = pool.Open())
        {
            SmileException merge = Assert.ThrowsExactly<SmileException>(() => new SimpleAverage().Merge(models, folder["merged"]));
            Assert.Contains("head classifier", merge.Message);
            Assert.Contains("smile fuse", merge.Message);
        }

        pool.Fuse();
        TestPool.Edit(folder["fused"], tensors => tensors.Remove("task_heads.b.classifier.weight"));
        Assert.Contains("task_heads.b.classifier.weight is missing", Assert.ThrowsExactly<SmileException>(() => pool.Load("fused")).Message);

        pool.Expert("wide", 3, tensors => tensors["classifier.weight"] = HostTensor.FromFloats([3, 13], new float[39]));
        Assert.Contains("task_heads.wide.classifier is [3, 13]", Assert.ThrowsExactly<SmileException>(() => pool.Fuse()).Message);
        TestPool.Edit(folder["wide"], tensors => tensors["regressor.weight"] = HostTensor.FromFloats([1], [1]));
        Assert.Contains("tensor regressor.weight, F32 [1], is not in", Assert.ThrowsExactly<SmileException>(() => pool.Fuse()).Message);
    }

    private static void RemovePooler(Dictionary<string, HostTensor> tensors)
    {
        tensors.Remove("bert.pooler.dense.weight");
        tensors.Remove("bert.pooler.dense.bias");
    }

    private static void AssertClose(float[] expected, float[] actual)
        => Reference.AssertClose("outputs", expected.Select(value => (double)value), actual);
}
