using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Checkpoints;

namespace Smile.ML.Tests.Testing;

/// <summary>Writes small pools: Hugging Face folders of random weights, and experts that differ from them by low-rank deltas.</summary>
internal static class TestPool
{
    /// <summary>A perceptron pool with layers of the given widths; expert names are <c>a</c>, <c>b</c>, <c>c</c>, ...</summary>
    public static string WriteMlp(TemporaryFolder folder, int experts, int[] widths, int seed = 1, int deltaRank = 3)
    {
        var random = new Random(seed);
        var pretrained = new Dictionary<string, HostTensor>();
        for (int i = 0; i + 1 < widths.Length; i++)
        {
            pretrained[$"layers.{i}.weight"] = Gaussian(random, 0.3f, widths[i + 1], widths[i]);
            pretrained[$"layers.{i}.bias"] = Gaussian(random, 0.3f, widths[i + 1]);
        }

        return WritePool(folder, new JsonObject { ["model_type"] = "mlp", ["hidden_act"] = "relu" }, pretrained, experts, random, deltaRank);
    }

    /// <summary>A pool of CLIP-like vision transformers: 2 layers, 2 heads, hidden 16, 3-channel images of 8x8 pixels, patches of 4.</summary>
    public static string WriteClip(TemporaryFolder folder, int experts, int seed = 1, int deltaRank = 3)
    {
        const int Hidden = 16, Inner = 24, Projection = 12;
        var random = new Random(seed);
        var tensors = new Dictionary<string, HostTensor>
        {
            ["vision_model.embeddings.class_embedding"] = Gaussian(random, 1, Hidden),
            ["vision_model.embeddings.patch_embedding.weight"] = Gaussian(random, 0.2f, Hidden, 3, 4, 4),
            ["vision_model.embeddings.position_embedding.weight"] = Gaussian(random, 0.2f, 5, Hidden),
            ["vision_model.embeddings.position_ids"] = HostTensor.FromIntegers([1, 5], [0, 1, 2, 3, 4]),
            ["visual_projection.weight"] = Gaussian(random, 0.3f, Projection, Hidden),
        };
        AddNorm(tensors, random, "vision_model.pre_layrnorm", Hidden);
        AddNorm(tensors, random, "vision_model.post_layernorm", Hidden);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"vision_model.encoder.layers.{i}";
            AddNorm(tensors, random, $"{layer}.layer_norm1", Hidden);
            AddNorm(tensors, random, $"{layer}.layer_norm2", Hidden);
            foreach (string name in new[] { "q_proj", "k_proj", "v_proj", "out_proj" })
            {
                AddLinear(tensors, random, $"{layer}.self_attn.{name}", Hidden, Hidden);
            }

            AddLinear(tensors, random, $"{layer}.mlp.fc1", Inner, Hidden);
            AddLinear(tensors, random, $"{layer}.mlp.fc2", Hidden, Inner);
        }

        var config = new JsonObject
        {
            ["model_type"] = "clip_vision_model",
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Inner,
            ["num_hidden_layers"] = 2,
            ["num_attention_heads"] = 2,
            ["num_channels"] = 3,
            ["image_size"] = 8,
            ["patch_size"] = 4,
            ["projection_dim"] = Projection,
            ["hidden_act"] = "quick_gelu",
            ["layer_norm_eps"] = 1e-5,
        };
        return WritePool(folder, config, tensors, experts, random, deltaRank);
    }

    /// <summary>Writes one Hugging Face folder.</summary>
    public static string WriteModel(string folder, JsonObject config, IReadOnlyDictionary<string, HostTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        TensorFile.Write(Path.Combine(folder, "model.safetensors"), tensors);
        return folder;
    }

    /// <summary>A tensor of independent normal values.</summary>
    public static HostTensor Gaussian(Random random, float scale, params int[] shape)
    {
        var values = new float[shape.Aggregate(1, (product, dimension) => product * dimension)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return HostTensor.FromFloats([.. shape.Select(dimension => (long)dimension)], values);
    }

    /// <summary>Changes one tensor of a written model.</summary>
    public static void Edit(string modelFolder, Action<Dictionary<string, HostTensor>> edit)
    {
        string file = Path.Combine(modelFolder, "model.safetensors");
        Dictionary<string, HostTensor> tensors = TensorFile.Read(file);
        edit(tensors);
        TensorFile.Write(file, tensors);
    }

    private static string WritePool(
        TemporaryFolder folder, JsonObject config, Dictionary<string, HostTensor> pretrained, int experts, Random random, int deltaRank)
    {
        string pool = folder["pool"];
        WriteModel(Path.Combine(pool, "_pretrained_"), config, pretrained);
        for (int e = 0; e < experts; e++)
        {
            Dictionary<string, HostTensor> tensors = pretrained.ToDictionary(
                tensor => tensor.Key, tensor => FineTune(tensor.Value, random, deltaRank));
            WriteModel(Path.Combine(pool, ((char)('a' + e)).ToString()), config, tensors);
        }

        return pool;
    }

    private static HostTensor FineTune(HostTensor tensor, Random random, int rank)
    {
        if (tensor.Type != TensorType.F32)
        {
            return tensor;
        }

        float[] values = [.. tensor.Floats!];
        if (tensor.Shape.Count == 2)
        {
            int rows = (int)tensor.Shape[0], columns = (int)tensor.Shape[1];
            float[] left = Gaussian(random, 0.4f, rank, rows).Floats!, right = Gaussian(random, 0.4f, rank, columns).Floats!;
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    for (int r = 0; r < rank; r++)
                    {
                        values[(i * columns) + j] += left[(r * rows) + i] * right[(r * columns) + j] / (r + 1);
                    }
                }
            }
        }
        else
        {
            float[] noise = Gaussian(random, 0.05f, values.Length).Floats!;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] += noise[i];
            }
        }

        return HostTensor.FromFloats(tensor.Shape, values);
    }

    private static void AddLinear(Dictionary<string, HostTensor> tensors, Random random, string name, int outputs, int inputs)
    {
        tensors[$"{name}.weight"] = Gaussian(random, 0.3f, outputs, inputs);
        tensors[$"{name}.bias"] = Gaussian(random, 0.1f, outputs);
    }

    private static void AddNorm(Dictionary<string, HostTensor> tensors, Random random, string name, int size)
    {
        tensors[$"{name}.weight"] = HostTensor.FromFloats([size], [.. Gaussian(random, 0.1f, size).Floats!.Select(value => 1 + value)]);
        tensors[$"{name}.bias"] = Gaussian(random, 0.1f, size);
    }
}
