using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks.Decoders;

/// <summary>Fusing models whose head is their embedding table. One dense expert makes the right result a plain model that can be assembled.</summary>
[TestClass]
public sealed class TiedHeadTests
{
    private const string Table = "model.embed_tokens.weight";
    private const string Head = "lm_head";

    [TestMethod]
    [DataRow(SharedParameters.Pretrained, false)]
    [DataRow(SharedParameters.Pretrained, true)]
    [DataRow(SharedParameters.Average, false)]
    [DataRow(SharedParameters.AverageLeaves, true)]
    public void FusingUntiesTheHead(SharedParameters shared, bool keepHead)
    {
        using var folder = new TemporaryFolder();
        var pretrained = new TinyDecoder("qwen2", """{"tie_word_embeddings": true}""", seed: 1);
        var expert = new TinyDecoder("qwen2", """{"tie_word_embeddings": true}""", seed: 2);
        var options = new SmileFusionOptions { ExpertRank = null, RouterRank = 2, Shared = shared, Keep = keepHead ? [Head] : [] };
        using ModelPool pool = ModelPool.Open(pretrained.Write(folder["base"]), [KeyValuePair.Create("e", expert.Write(folder["e"]))]);
        FusionReport report = new SmileFusion(options).Fuse(pool, folder["fused"]);
        Assert.AreEqual(!keepHead, report.Upscaled.Contains(Head));
        using (HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]))
        {
            Assert.AreEqual(!keepHead, fused.Tensors.ContainsKey("lm_head.shared_linear.weight"));
            CollectionAssert.AreEqual(Other(Table).Floats, fused.ReadFloats(Table));
        }

        // Every linear layer is the expert's, the head that is kept the pretrained table, the rest as the options say.
        Dictionary<string, HostTensor> tensors = pretrained.Tensors.Keys.ToDictionary(
            name => name, name => name.Contains("proj", StringComparison.Ordinal) ? expert.Tensors[name] : Other(name));
        tensors["lm_head.weight"] = (keepHead ? pretrained : expert).Tensors[Table];
        JsonObject config = pretrained.Config;
        config["tie_word_embeddings"] = false;
        using SmileModel expected = SmileModel.Load(TestPool.WriteModel(folder["expected"], config, tensors));
        using SmileModel model = SmileModel.Load(folder["fused"]);
        Dictionary<string, HostTensor> inputs = TokenRows.Single(TokenRows.Random(11, 4));
        CausalDecoderTests.AssertClose(
            [.. CausalDecoderTests.Logits(expected, inputs).Select(value => (double)value)], CausalDecoderTests.Logits(model, inputs));

        HostTensor Other(string name) => (shared == SharedParameters.Pretrained ? pretrained : expert).Tensors[name];
    }

    [TestMethod]
    public void AnUntouchedTableLeavesTheHeadTied()
    {
        using var folder = new TemporaryFolder();
        var pretrained = new TinyDecoder("llama", """{"tie_word_embeddings": true}""", seed: 1);
        var expert = new TinyDecoder("llama", """{"tie_word_embeddings": true}""", seed: 2);
        expert.Tensors[Table] = pretrained.Tensors[Table];
        using ModelPool pool = ModelPool.Open(pretrained.Write(folder["base"]), [KeyValuePair.Create("e", expert.Write(folder["e"]))]);
        FusionReport report = new SmileFusion(new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }).Fuse(pool, folder["fused"]);
        Assert.AreEqual("all deltas zero", report.Kept[Head]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        Assert.DoesNotContain(name => name.StartsWith(Head, StringComparison.Ordinal), fused.Tensors.Keys);
        using SmileModel model = SmileModel.Load(fused.Config, fused);
        Assert.HasCount(50, CausalDecoderTests.Logits(model, TokenRows.Single(3)));
    }
}
