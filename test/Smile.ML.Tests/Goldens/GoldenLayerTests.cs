using System.Text.Json;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Goldens;

/// <summary>Single layers in the corners of the algorithm, each as a perceptron of one layer.</summary>
[TestClass]
public sealed class GoldenLayerTests
{
    [TestMethod]
    public void LayersAgree()
    {
        string folder = Golden.PathOf("layers");
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "cases.json")));
        foreach (JsonProperty layer in cases.RootElement.EnumerateObject())
        {
            using var temporary = new TemporaryFolder();
            Dictionary<string, HostTensor> tensors = TensorFile.Read(Path.Combine(folder, "..", layer.Value.GetProperty("file").GetString()!));
            int experts = layer.Value.GetProperty("num_experts").GetInt32();
            int rank = layer.Value.GetProperty("k").GetInt32();
            string pretrained = Write(temporary["_pretrained_"], tensors, "W0", "b0");
            using ModelPool pool = ModelPool.Open(
                pretrained, Enumerable.Range(0, experts).Select(e => KeyValuePair.Create($"{e}", Write(temporary[$"{e}"], tensors, $"W.{e}", $"b.{e}"))));
            new SmileFusion(new SmileFusionOptions
            {
                ExpertRank = rank > 0 ? rank : null,
                RouterRank = layer.Value.GetProperty("gate_k").GetInt32(),
                ExpertsPerToken = layer.Value.GetProperty("top_k").GetInt32(),
                Compatibility = FusionCompatibility.FusionBench,
            }).Fuse(pool, temporary["fused"]);

            using SmileModel model = SmileModel.Load(temporary["fused"]);
            int inputs = (int)tensors["x"].Shape[^1];
            float[] x = tensors["x"].Floats!;
            float[] y = model.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([x.Length / inputs, inputs], x) })["output"].Floats!;
            double scale = tensors["y"].Floats!.Select(Math.Abs).Append(1f).Max();
            double difference = tensors["y"].Floats!.Zip(y, (a, b) => Math.Abs((double)a - b)).Max();
            Assert.IsTrue(difference <= 1e-5 * scale, $"{layer.Name} is off by {difference / scale:E2}");
        }
    }

    private static string Write(string folder, Dictionary<string, HostTensor> tensors, string weight, string bias)
    {
        var layer = new Dictionary<string, HostTensor> { ["layers.0.weight"] = tensors[weight] };
        if (tensors.TryGetValue(bias, out HostTensor? values))
        {
            layer["layers.0.bias"] = values;
        }

        return TestPool.WriteModel(folder, new JsonObject { ["model_type"] = "mlp", ["hidden_act"] = "relu" }, layer);
    }
}
