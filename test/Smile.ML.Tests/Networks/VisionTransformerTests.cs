using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks;

/// <summary>The vision transformer against a float64 computation image by image.</summary>
[TestClass]
public sealed class VisionTransformerTests
{
    private const int Hidden = 12;
    private const int Heads = 2;
    private const int Inner = 20;
    private const int Channels = 2;
    private const int ImageSize = 9;
    private const int PatchSize = 3;
    private const int Patches = 9;
    private const double Epsilon = 1e-5;

    [TestMethod]
    [DataRow("vit.", true, false)]
    [DataRow("vit.", false, false)]
    [DataRow("", true, true)]
    public void ImagesAreClassifiedByTheirClassToken(string prefix, bool bias, bool pools)
    {
        RandomWeights weights = Weights(prefix, bias, pools);
        using SmileModel model = weights.Load(Config(bias));
        HostTensor images = TestPool.Gaussian(new Random(3), 1, 4, Channels, ImageSize, ImageSize);
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = images });
        var reference = new Reference(weights.Tensors);
        for (int image = 0; image < 4; image++)
        {
            double[][] hidden = Encode(weights.Tensors, prefix, images.Floats!.AsSpan(image * 162, 162));
            Reference.AssertClose("tokens", hidden.SelectMany(token => token), outputs["last_hidden_state"].Rows(image, Patches + 1));
            if (pools)
            {
                Reference.AssertClose("pooled", Reference.Map(reference.Linear("pooler.dense", [hidden[0]]), Math.Tanh)[0], outputs["pooler_output"].Rows(image));
            }
            else
            {
                Reference.AssertClose("logits", reference.Linear("classifier", [hidden[0]])[0], outputs["logits"].Rows(image));
            }
        }

        Assert.AreEqual(pools, outputs.ContainsKey("pooler_output"));
        Assert.AreEqual(!pools, outputs.ContainsKey("logits"));
    }

    [TestMethod]
    public void TheBatchChangesNoBit()
    {
        using SmileModel model = Weights("vit.", bias: true, pools: false).Load(Config(bias: true));
        HostTensor images = TestPool.Gaussian(new Random(3), 1, 5, Channels, ImageSize, ImageSize);
        HostTensor batch = model.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = images }, ["logits"])["logits"];
        for (int image = 0; image < 5; image++)
        {
            HostTensor one = HostTensor.FromFloats([1, Channels, ImageSize, ImageSize], [.. images.Floats!.Skip(image * 162).Take(162)]);
            HostTensor alone = model.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = one }, ["logits"])["logits"];
            CollectionAssert.AreEqual(alone.Floats, batch.Rows(image));
        }
    }

    [TestMethod]
    [DataRow("patch_size", "4", "not a multiple of patch_size 4")]
    [DataRow("num_attention_heads", "5", "not a multiple of num_attention_heads 5")]
    [DataRow("qkv_bias", "false", "has a bias")]
    [DataRow("image_size", "12", "position_embeddings")]
    [DataRow("id2label", "{\"0\":\"a\"}", "[1, 12]")]
    public void UnsupportedConfigValuesAreNamed(string key, string value, string expected)
    {
        JsonObject config = Config(bias: true);
        config[key] = JsonNode.Parse(value);
        SmileException error = Assert.ThrowsExactly<SmileException>(() => Weights("vit.", bias: true, pools: false).Load(config));
        Assert.Contains(expected, error.Message);
    }

    private static double[][] Encode(Dictionary<string, HostTensor> tensors, string prefix, ReadOnlySpan<float> image)
    {
        var reference = new Reference(tensors);
        double[] Vector(string name, int row) => [.. tensors[name].Floats!.Skip(row * Hidden).Take(Hidden).Select(value => (double)value)];
        float[] kernel = tensors[$"{prefix}embeddings.patch_embeddings.projection.weight"].Floats!;
        float[] bias = tensors[$"{prefix}embeddings.patch_embeddings.projection.bias"].Floats!;
        var tokens = new double[Patches + 1][];
        tokens[0] = Vector($"{prefix}embeddings.cls_token", 0);
        for (int patch = 0; patch < Patches; patch++)
        {
            var token = new double[Hidden];
            for (int output = 0; output < Hidden; output++)
            {
                token[output] = bias[output];
                for (int channel = 0; channel < Channels; channel++)
                {
                    for (int y = 0; y < PatchSize; y++)
                    {
                        for (int x = 0; x < PatchSize; x++)
                        {
                            int pixel = (channel * ImageSize * ImageSize) + (((patch / 3 * PatchSize) + y) * ImageSize) + (patch % 3 * PatchSize) + x;
                            token[output] += (double)image[pixel] * kernel[(((((output * Channels) + channel) * PatchSize) + y) * PatchSize) + x];
                        }
                    }
                }
            }

            tokens[patch + 1] = token;
        }

        double[][] hidden = Reference.Add(
            tokens, [.. Enumerable.Range(0, Patches + 1).Select(row => Vector($"{prefix}embeddings.position_embeddings", row))]);
        string layer = $"{prefix}encoder.layer.0";
        double[][] normal = reference.LayerNorm($"{layer}.layernorm_before", hidden, Epsilon);
        double[][] mixed = Reference.Attend(
            reference.Linear($"{layer}.attention.attention.query", normal),
            reference.Linear($"{layer}.attention.attention.key", normal),
            reference.Linear($"{layer}.attention.attention.value", normal),
            Heads,
            1 / Math.Sqrt(Hidden / Heads));
        hidden = Reference.Add(hidden, reference.Linear($"{layer}.attention.output.dense", mixed));
        normal = reference.LayerNorm($"{layer}.layernorm_after", hidden, Epsilon);
        double[][] inner = Reference.Map(reference.Linear($"{layer}.intermediate.dense", normal), Reference.Relu);
        hidden = Reference.Add(hidden, reference.Linear($"{layer}.output.dense", inner));
        return reference.LayerNorm($"{prefix}layernorm", hidden, Epsilon);
    }

    internal static JsonObject Config(bool bias) => new()
    {
        ["model_type"] = "vit",
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = Inner,
        ["num_hidden_layers"] = 1,
        ["num_attention_heads"] = Heads,
        ["num_channels"] = Channels,
        ["image_size"] = ImageSize,
        ["patch_size"] = PatchSize,
        ["qkv_bias"] = bias,
        ["hidden_act"] = "relu",
        ["layer_norm_eps"] = Epsilon,
        ["id2label"] = new JsonObject { ["0"] = "a", ["1"] = "b", ["2"] = "c" },
    };

    internal static RandomWeights Weights(string prefix, bool bias, bool pools, int classes = 3)
    {
        var weights = new RandomWeights(seed: 9);
        weights.Add($"{prefix}embeddings.cls_token", 1, 1, 1, Hidden);
        weights.Add($"{prefix}embeddings.position_embeddings", 1, 1, Patches + 1, Hidden);
        weights.Add($"{prefix}embeddings.patch_embeddings.projection.weight", 0.3f, Hidden, Channels, PatchSize, PatchSize);
        weights.Add($"{prefix}embeddings.patch_embeddings.projection.bias", 0.2f, Hidden);
        string layer = $"{prefix}encoder.layer.0";
        weights.AddLayerNorm($"{layer}.layernorm_before", Hidden);
        weights.AddLayerNorm($"{layer}.layernorm_after", Hidden);
        foreach (string name in (string[])["query", "key", "value"])
        {
            weights.AddLinear($"{layer}.attention.attention.{name}", Hidden, Hidden, bias);
        }

        weights.AddLinear($"{layer}.attention.output.dense", Hidden, Hidden);
        weights.AddLinear($"{layer}.intermediate.dense", Inner, Hidden);
        weights.AddLinear($"{layer}.output.dense", Hidden, Inner);
        weights.AddLayerNorm($"{prefix}layernorm", Hidden);
        if (pools)
        {
            weights.AddLinear($"{prefix}pooler.dense", Hidden, Hidden);
        }
        else
        {
            weights.AddLinear("classifier", classes, Hidden);
        }

        return weights;
    }
}
