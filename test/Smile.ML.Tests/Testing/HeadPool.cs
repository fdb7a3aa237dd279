using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Networks;

namespace Smile.ML.Tests.Testing;

/// <summary>Pools of tiny encoders whose models have the heads that a test gives them.</summary>
/// <param name="folder">Where the models are written.</param>
/// <param name="type"><c>bert</c>, <c>roberta</c> or <c>vit</c>.</param>
internal sealed class HeadPool(TemporaryFolder folder, string type)
{
    private readonly List<string> _experts = [];

    /// <summary>What the tensors of the backbone are named with.</summary>
    public string Prefix => $"{type}.";

    /// <summary>Writes the pretrained model: its backbone and pooler, named with or without the prefix, and a head of some classes.</summary>
    public HeadPool Pretrained(int? classes, bool bare = false, Action<Dictionary<string, HostTensor>>? edit = null)
    {
        Dictionary<string, HostTensor> tensors = Draw(classes);
        edit?.Invoke(tensors);
        Write("_pretrained_", bare ? tensors.ToDictionary(pair => pair.Key.StartsWith(Prefix, StringComparison.Ordinal) ? pair.Key[Prefix.Length..] : pair.Key, pair => pair.Value) : tensors, classes);
        return this;
    }

    /// <summary>Writes an expert, which differs from the pretrained model in every parameter; its name starts it off.</summary>
    public HeadPool Expert(string name, int? classes, Action<Dictionary<string, HostTensor>>? edit = null)
    {
        Dictionary<string, HostTensor> tensors = FineTune(Draw(classes), name[0]);
        edit?.Invoke(tensors);
        Write(name, tensors, classes);
        _experts.Add(name);
        return this;
    }

    /// <summary>Adds an expert that the test has written.</summary>
    public HeadPool Written(string name)
    {
        _experts.Add(name);
        return this;
    }

    public ModelPool Open() => ModelPool.Open(folder["_pretrained_"], _experts.Select(name => KeyValuePair.Create(name, folder[name])));

    /// <summary>Fuses the pool into the folder <c>fused</c>.</summary>
    public FusionReport Fuse(SmileFusionOptions? options = null)
    {
        using ModelPool pool = Open();
        return new SmileFusion(options).Fuse(pool, folder["fused"], overwrite: true);
    }

    public SmileModel Load(string name) => SmileModel.Load(folder[name]);

    public Dictionary<string, HostTensor> Tensors(string name) => TensorFile.Read(Path.Combine(folder[name], "model.safetensors"));

    /// <summary>Two samples; of tokens, one is shorter.</summary>
    public Dictionary<string, HostTensor> Inputs()
        => type == "vit"
            ? new() { ["pixel_values"] = TestPool.Gaussian(new Random(3), 1, 2, 2, 9, 9) }
            : TokenBatches.Padded([[5, 9, 3, 17], [4, 8]], padding: 2);

    private Dictionary<string, HostTensor> Draw(int? classes)
    {
        if (type != "vit")
        {
            return BertTests.Weights(type, Prefix, classes is not null, classes ?? 0).Tensors;
        }

        RandomWeights weights = VisionTransformerTests.Weights(Prefix, bias: true, pools: false, classes ?? 1);
        weights.AddLinear("vit.pooler.dense", 12, 12);
        if (classes is null)
        {
            weights.Tensors.Remove("classifier.weight");
            weights.Tensors.Remove("classifier.bias");
        }

        return weights.Tensors;
    }

    private static Dictionary<string, HostTensor> FineTune(Dictionary<string, HostTensor> tensors, int seed)
    {
        var random = new Random(seed);
        foreach (float[] values in tensors.Values.Select(tensor => tensor.Floats!))
        {
            float[] change = TestPool.Gaussian(random, 0.1f, values.Length).Floats!;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] += change[i];
            }
        }

        return tensors;
    }

    private void Write(string name, Dictionary<string, HostTensor> tensors, int? classes)
    {
        JsonObject config = type == "vit" ? VisionTransformerTests.Config(bias: true) : BertTests.Config(type);
        config.Remove("id2label");
        if (classes is { } count)
        {
            config["id2label"] = new JsonObject(Enumerable.Range(0, count).Select(c => KeyValuePair.Create($"{c}", (JsonNode?)$"{name} {c}")));
            config["architectures"] = new JsonArray(
                type switch { "vit" => "ViTForImageClassification", "bert" => "BertForSequenceClassification", _ => "RobertaForSequenceClassification" });
        }

        TestPool.WriteModel(folder[name], config, tensors);
    }
}
