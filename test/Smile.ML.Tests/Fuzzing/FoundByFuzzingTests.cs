using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>What hostile files once got through: each is refused by name, and before anything of the size that it asks for is allocated.</summary>
[TestClass]
public sealed class FoundByFuzzingTests
{
    private const long MaxAllocatedBytes = 8 << 20;

    [TestMethod]
    [DataRow("clip_vision_model", "num_hidden_layers", "2147483647", "num_hidden_layers")]
    [DataRow("vit", "num_hidden_layers", "2147483647", "num_hidden_layers")]
    [DataRow("bert", "num_hidden_layers", "2147483647", "num_hidden_layers")]
    [DataRow("llama", "num_hidden_layers", "2147483647", "num_hidden_layers")]
    [DataRow("mistral", "num_hidden_layers", "1000000000", "num_hidden_layers")]
    [DataRow("t5", "num_layers", "2147483647", "num_layers")]
    [DataRow("t5", "num_decoder_layers", "2147483647", "num_decoder_layers")]
    [DataRow("mistral", "head_dim", "1073741824", "a head has 1073741824 features")]
    [DataRow("llama", "num_attention_heads", "2147483647", "2147483647 heads of 4 features")]
    [DataRow("t5", "d_kv", "2147483647", "heads of 2147483647 features")]
    [DataRow("clip_vision_model", "image_size", "65536", "image_size 65536")]
    [DataRow("vit", "num_channels", "2147483647", "num_channels 2147483647")]
    [DataRow("bert", "layer_norm_eps", "1e300", "layer_norm_eps")]
    [DataRow("mistral", "rms_norm_eps", "1e39", "rms_norm_eps")]
    [DataRow("mistral", "rope_scaling", """{"rope_type":"linear","factor":5e-324}""", "not finite")]
    [DataRow("bert", "hidden_size", "NaN", "JSON")]
    [DataRow("bert", "position_embedding_type", """ "\ud800" """, "surrogate")]
    [DataRow("vit", "id2label", """{"0":["\ud800"]}""", "surrogate")]
    public void AConfigurationBeyondAllBoundsIsRefused(string type, string key, string value, string expected)
    {
        using var folder = new TemporaryFolder();
        (string path, JsonObject config) = TinyNetworks.WriteAll(folder.Path).Single(model => (string)model.Config["model_type"]! == type);
        config[key] = "@";
        File.WriteAllText(Path.Combine(path, "config.json"), config.ToJsonString().Replace("\"@\"", value, StringComparison.Ordinal));
        AssertRefused(() => SmileModel.Load(path, new ComputeOptions { Threads = 1 }), path, expected);
    }

    [TestMethod]
    public void ANumberOfExpertsBeyondAllBoundsIsRefused()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 8, 5]), fused = folder["fused"], path = Path.Combine(fused, "config.json");
        using (var models = ModelPool.Open(pool))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = 2, RouterRank = 1, Threads = 1 }).Fuse(models, fused);
        }

        File.WriteAllText(path, File.ReadAllText(path).Replace("\"num_local_experts\": 2", "\"num_local_experts\": 2147483647", StringComparison.Ordinal));
        AssertRefused(() => SmileModel.Load(fused, new ComputeOptions { Threads = 1 }), path, "num_local_experts");
        AssertRefused(() => CheckpointSummary.Read(fused), path, "num_local_experts");
    }

    [TestMethod]
    public void AFactorThatIsNoMatrixIsRefused()
    {
        using var folder = new TemporaryFolder();
        string fused = folder["fused"], file = Path.Combine(fused, "model.safetensors");
        using (var models = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 8, 5])))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = 2, RouterRank = 1, Threads = 1 }).Fuse(models, fused);
        }

        Dictionary<string, HostTensor> tensors = TensorFile.Read(file);
        string u = tensors.Keys.First(name => name.EndsWith(".u", StringComparison.Ordinal));
        tensors[u] = HostTensor.FromFloats([], [1]);
        TensorFile.Write(file, tensors);
        AssertRefused(() => CheckpointSummary.Read(fused), fused, $"{u} is []; expected [outputs, rank]");
    }

    [TestMethod]
    public void MessagesAboutLongTextsAreShort()
    {
        using var folder = new TemporaryFolder();
        string text = new('x', 100_000);
        string file = folder.Write("x.safetensors", SafetensorsBytes.Create($"{{{text}:1}}", []));
        AssertRefused(() => SafetensorsFile.Open(file), file, "JSON");

        string model = Directory.CreateDirectory(folder["model"]).FullName;
        folder.Write("model/config.json", $$"""{"model_type":"{{text}}"}""");
        folder.Write("model/model.safetensors", SafetensorsBytes.Create("{}", []));
        AssertRefused(() => SmileModel.Load(model), model, "model_type");

        File.Delete(folder["model/model.safetensors"]);
        folder.Write("model/model.safetensors.index.json", $$$"""{"weight_map":{"t":"{{{text}}}"}}""");
        AssertRefused(() => SmileModel.Load(model), model, "file name");
    }

    [TestMethod]
    public void AdapterPatternsThatBacktrackForeverAreRefused()
    {
        using var folder = new TemporaryFolder();
        string module = "layers." + new string('a', 60);
        string adapter = TestAdapter.Write(
            folder["adapter"], TestAdapter.Config(("rank_pattern", new JsonObject { ["(a+)+b"] = 2 })), TestAdapter.Factors(new Random(1), module, 5, 6, 2));
        AssertRefused(() => PeftAdapter.Open(adapter), adapter, "takes too long");
    }

    private static void AssertRefused(Action action, string path, string expected)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        SmileException e = Assert.ThrowsExactly<SmileException>(action);
        Assert.IsLessThan(MaxAllocatedBytes, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.IsLessThan(3000, e.Message.Length);
    }
}
