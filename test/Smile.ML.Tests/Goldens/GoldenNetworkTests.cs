using System.Text.Json;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Checkpoints;

namespace Smile.ML.Tests.Goldens;

/// <summary>
/// Fuses the golden pools in every setting and compares outputs and routing with those of a float64 reference. Every network that the
/// library supports is a row here.
/// </summary>
[TestClass]
public sealed class GoldenNetworkTests
{
    private const double Tolerance = 1e-5;

    [TestMethod]
    [DataRow("mlp")]
    [DataRow("clip")]
    [DataRow("vit_f16")]
    [DataRow("bert")]
    [DataRow("t5")]
    [DataRow("mistral")]
    [DataRow("mistral_sw4")]
    [DataRow("llama_bf16")]
    [DataRow("qwen2")]
    public void SingleModelsAgree(string network)
    {
        string folder = Golden.PathOf(network);
        Dictionary<string, HostTensor> expected = TensorFile.Read(Path.Combine(folder, "expected", "single.safetensors"));
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        foreach (string name in expected.Keys.Select(key => key[..key.LastIndexOf('/')]).Distinct())
        {
            using SmileModel model = name.StartsWith("adapters/", StringComparison.Ordinal)
                ? SmileModel.LoadAdapter(Path.Combine(folder, name), Path.Combine(folder, "_pretrained_"))
                : SmileModel.Load(Path.Combine(folder, name));
            IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs);
            foreach ((string key, HostTensor tensor) in expected.Where(tensor => tensor.Key.StartsWith(name + "/", StringComparison.Ordinal)))
            {
                AssertClose($"{network}/{key}", tensor, key.EndsWith("/generated", StringComparison.Ordinal) ? Generate(model, inputs, tensor) : outputs[key[(name.Length + 1)..]]);
            }
        }
    }

    [TestMethod]
    [DataRow("mlp")]
    [DataRow("clip")]
    [DataRow("vit_f16")]
    [DataRow("bert")]
    [DataRow("t5")]
    [DataRow("mistral")]
    [DataRow("mistral_sw4")]
    [DataRow("llama_bf16")]
    [DataRow("qwen2")]
    public void FusedModelsAgree(string network)
    {
        string folder = Golden.PathOf(network);
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "golden.json")));
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        foreach (JsonProperty setting in golden.RootElement.GetProperty("fused").EnumerateObject())
        {
            using var temporary = new TemporaryFolder();
            using ModelPool pool = OpenPool(folder, setting.Value);
            FusionReport report = new SmileFusion(Options(setting)).Fuse(pool, temporary["fused"]);
            Assert.AreEqual(setting.Value.GetProperty("upscaled").GetArrayLength(), report.Upscaled.Count, $"{network}/{setting.Name}");
            Assert.AreEqual(setting.Value.GetProperty("fused_parameters").GetInt64(), report.FusedParameters, $"{network}/{setting.Name}");

            using SmileModel model = SmileModel.Load(temporary["fused"]);
            var routing = new Recorder();
            IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs, observer: routing);
            foreach ((string name, HostTensor tensor) in TensorFile.Read(Path.Combine(folder, setting.Value.GetProperty("file").GetString()!)))
            {
                AssertClose($"{network}/{setting.Name}/{name}", tensor, name == "generated" ? Generate(model, inputs, tensor) : outputs[name]);
            }

            if (setting.Value.TryGetProperty("routing_file", out JsonElement file))
            {
                foreach ((string name, HostTensor tensor) in TensorFile.Read(Path.Combine(folder, file.GetString()!)))
                {
                    AssertClose($"{network}/{setting.Name}/{name}", tensor, routing.Tensors[name]);
                }
            }
        }
    }

    private static ModelPool OpenPool(string folder, JsonElement setting) => ModelPool.Open(
        Path.Combine(folder, "_pretrained_"),
        setting.GetProperty("experts").EnumerateArray()
            .Select(expert => KeyValuePair.Create(Path.GetFileName(expert.GetString()!), Path.Combine(folder, expert.GetString()!))));

    private static SmileFusionOptions Options(JsonProperty setting)
    {
        int rank = setting.Value.GetProperty("k").GetInt32();
        return new SmileFusionOptions
        {
            ExpertRank = rank > 0 ? rank : null,
            RouterRank = setting.Value.GetProperty("gate_k").GetInt32(),
            ExpertsPerToken = setting.Value.GetProperty("top_k").GetInt32(),
            Compatibility = FusionCompatibility.FusionBench,
            Shared = !setting.Value.TryGetProperty("average_experts", out JsonElement average) || !average.GetBoolean() ? SharedParameters.Pretrained
                : setting.Name.EndsWith("avgall", StringComparison.Ordinal) ? SharedParameters.Average : SharedParameters.AverageLeaves,
            Keep = [.. setting.Value.GetProperty("kept_because").EnumerateObject()
                .Where(kept => kept.Value.GetString()!.Contains("head", StringComparison.Ordinal)).Select(kept => kept.Name)],
        };
    }

    /// <summary>Continues the inputs greedily by as many tokens as are expected, past any end of text.</summary>
    private static HostTensor Generate(SmileModel model, Dictionary<string, HostTensor> inputs, HostTensor expected)
        => model.Generate(inputs, new GenerationOptions { MaxNewTokens = (int)expected.Shape[1], StopTokens = [] });

    /// <summary>Values within 1e-5 of the largest (at least 1); decisions identical.</summary>
    private static void AssertClose(string what, HostTensor expected, HostTensor actual)
    {
        Assert.IsTrue(expected.Shape.SequenceEqual(actual.Shape), $"{what}: [{string.Join(", ", actual.Shape)}]");
        if (expected.Type == TensorType.I64)
        {
            CollectionAssert.AreEqual(expected.Integers, actual.Integers, what);
            return;
        }

        double scale = expected.Floats!.Select(Math.Abs).Append(1f).Max();
        double difference = expected.Floats!.Zip(actual.Floats!, (x, y) => Math.Abs((double)x - y)).Max();
        Assert.IsTrue(difference <= Tolerance * scale, $"{what} is off by {difference / scale:E2}");
    }

    private sealed class Recorder : IRoutingObserver
    {
        public Dictionary<string, HostTensor> Tensors { get; } = [];

        public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
        {
            Tensors[$"{layer}/router_logits"] = HostTensor.FromFloats([tokens, logits.Length / tokens], logits.ToArray());
            Tensors[$"{layer}/routing_weights"] = HostTensor.FromFloats([tokens, weights.Length / tokens], weights.ToArray());
            Tensors[$"{layer}/selected_experts"] = HostTensor.FromIntegers([tokens, selected.Length / tokens], Array.ConvertAll(selected.ToArray(), expert => (long)expert));
        }
    }
}
