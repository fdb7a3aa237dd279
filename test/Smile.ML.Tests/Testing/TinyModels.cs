using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Tests.Testing;

/// <summary>Writes small pools of random weights: a base and experts that differ from it in every parameter.</summary>
internal static class TinyModels
{
    public const int MlpInputs = 12;
    public const int MlpOutputs = 6;
    public const int ClipPixels = 3 * 8 * 8;
    public const int ClipEmbedding = 10;

    private const string MlpConfig = """{"model_type":"mlp","hidden_act":"relu"}""";

    private static readonly (string Name, long[] Shape)[] MlpTensors =
    [
        ("layers.0.weight", [16, MlpInputs]),
        ("layers.0.bias", [16]),
        ("layers.1.weight", [14, 16]),
        ("layers.1.bias", [14]),
        ("layers.2.weight", [MlpOutputs, 14]),
        ("layers.2.bias", [MlpOutputs]),
    ];

    /// <summary>Writes a multilayer perceptron alone, in several files where they are limited.</summary>
    public static void WriteMlp(string folder, long maxShardBytes)
    {
        var random = new Random(5);
        Write(folder, MlpConfig, MlpTensors, name => Values(random, Length(MlpTensors.Single(t => t.Name == name).Shape), scale: 0.3f), maxShardBytes);
    }

    public static string WriteMlpPool(string folder, int experts = 3) => WritePool(folder, experts, MlpConfig, MlpTensors);

    public static string WriteClipPool(string folder, int experts = 3)
    {
        const int Hidden = 16, Inner = 24;
        var tensors = new List<(string Name, long[] Shape)>
        {
            ("vision_model.embeddings.class_embedding", [Hidden]),
            ("vision_model.embeddings.patch_embedding.weight", [Hidden, 3, 4, 4]),
            ("vision_model.embeddings.position_embedding.weight", [5, Hidden]),
            ("visual_projection.weight", [ClipEmbedding, Hidden]),
        };
        AddPair("vision_model.pre_layrnorm", [Hidden], Hidden);
        AddPair("vision_model.post_layernorm", [Hidden], Hidden);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"vision_model.encoder.layers.{i}";
            AddPair($"{layer}.layer_norm1", [Hidden], Hidden);
            AddPair($"{layer}.layer_norm2", [Hidden], Hidden);
            AddPair($"{layer}.mlp.fc1", [Inner, Hidden], Inner);
            AddPair($"{layer}.mlp.fc2", [Hidden, Inner], Hidden);
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj", "out_proj"])
            {
                AddPair($"{layer}.self_attn.{projection}", [Hidden, Hidden], Hidden);
            }
        }

        return WritePool(
            folder,
            experts,
            $$"""
            {"model_type":"clip_vision_model","hidden_size":{{Hidden}},"intermediate_size":{{Inner}},"num_attention_heads":2,
             "num_hidden_layers":2,"image_size":8,"patch_size":4,"num_channels":3,"projection_dim":{{ClipEmbedding}}}
            """,
            tensors);

        void AddPair(string module, long[] weight, long bias)
        {
            tensors.Add(($"{module}.weight", weight));
            tensors.Add(($"{module}.bias", [bias]));
        }
    }

    /// <summary>Makes a head with random class embeddings and classes named <c>TASK 0</c>, <c>TASK 1</c>, ...</summary>
    public static TaskHead Head(string task, int classes, int embeddingSize)
        => new(
            task,
            [.. Enumerable.Range(0, classes).Select(c => $"{task} {c}")],
            Values(new Random(classes), classes * embeddingSize, scale: 1),
            scale: 7.5f);

    /// <summary>Makes rows of normally distributed values, the same for the same seed.</summary>
    public static float[][] Rows(int count, int size, int seed = 1)
        => [.. Enumerable.Range(0, count).Select(row => Values(new Random((1000 * seed) + row), size, scale: 1))];

    private static string WritePool(string folder, int experts, string config, IReadOnlyList<(string Name, long[] Shape)> tensors)
    {
        var seed = new Random(17);
        Dictionary<string, float[]> pretrained = tensors.ToDictionary(
            tensor => tensor.Name, tensor => Values(seed, Length(tensor.Shape), scale: 0.3f));
        Write(Path.Combine(folder, "_pretrained_"), config, tensors, name => pretrained[name]);
        for (int e = 0; e < experts; e++)
        {
            var random = new Random(100 + e);
            Write(
                Path.Combine(folder, $"expert{e}"),
                config,
                tensors,
                name => [.. pretrained[name].Zip(Values(random, pretrained[name].Length, scale: 0.1f), (value, delta) => value + delta)]);
        }

        return folder;
    }

    private static void Write(
        string folder,
        string config,
        IReadOnlyList<(string Name, long[] Shape)> tensors,
        Func<string, float[]> values,
        long maxShardBytes = CheckpointWriter.DefaultMaxShardBytes)
    {
        using var writer = CheckpointWriter.Create(
            folder, tensors.Select(tensor => new TensorInfo(tensor.Name, TensorType.F32, tensor.Shape)), maxShardBytes: maxShardBytes);
        foreach ((string name, long[] shape) in tensors)
        {
            writer.WriteTensor(name, TensorType.F32, shape, values(name));
        }

        writer.SetConfig(ModelConfig.Parse(config, folder));
        writer.Commit();
    }

    private static int Length(long[] shape) => (int)shape.Aggregate(1L, (product, dimension) => product * dimension);

    /// <summary>Box-Muller.</summary>
    private static float[] Values(Random random, int count, float scale)
        => [.. Enumerable.Range(0, count).Select(_ =>
            scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
}
