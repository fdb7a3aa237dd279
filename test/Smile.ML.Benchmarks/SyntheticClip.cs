using Smile.ML.Checkpoints;
using Smile.ML.Fusion;

namespace Smile.ML.Benchmarks;

/// <summary>
/// A vision transformer of CLIP ViT-B/32's shapes with random weights, and the same routed: its experts are adapters of rank 32 on every
/// linear layer, so that making them takes seconds.
/// </summary>
internal static class SyntheticClip
{
    public const string Input = "pixel_values";
    public const string Output = "image_embeds";
    public const int Pixels = 3 * 224 * 224;
    private const int Hidden = 768;
    private const int Inner = 3072;
    private const int Layers = 12;
    private const int Projection = 512;
    private const int Rank = 32;

    private const string Config =
        """
        {
          "architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model", "hidden_size": 768, "intermediate_size": 3072,
          "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 224, "patch_size": 32, "num_channels": 3, "projection_dim": 512,
          "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5
        }
        """;

    /// <summary>Writes the plain network below a folder, where it is not there yet.</summary>
    /// <returns>Its folder.</returns>
    public static string WritePlain(string folder) => Write(Path.Combine(folder, "clip-b32"), fineTuning: 0);

    /// <summary>Writes the plain network and models fine-tuned from it below a folder, where they are not there yet.</summary>
    /// <returns>The plain network's folder and the others'.</returns>
    public static (string Pretrained, string[] Experts) WriteFineTuned(string folder, int experts)
        => (WritePlain(folder), [.. Enumerable.Range(1, experts).Select(e => Write(Path.Combine(folder, $"clip-b32-tuned{e}"), e))]);

    private static string Write(string folder, int fineTuning)
    {
        if (Directory.Exists(folder))
        {
            return folder;
        }

        var random = new Random(1);
        (string Name, long[] Shape)[] tensors = [.. Tensors()];
        using CheckpointWriter writer = CheckpointWriter.Create(folder, tensors.Select(tensor => new TensorInfo(tensor.Name, TensorType.F32, tensor.Shape)));
        for (int i = 0; i < tensors.Length; i++)
        {
            // Gains and shifts near those of a network that was just initialised.
            (string name, long[] shape) = tensors[i];
            bool gain = shape.Length == 1 && name.EndsWith(".weight", StringComparison.Ordinal);
            bool shift = name.EndsWith(".bias", StringComparison.Ordinal);
            float[] values = Values(random, shape, gain || shift ? 0.01f : 0.04f, gain ? 1 : 0);
            if (fineTuning > 0 && shape.Length == 2)
            {
                SyntheticValues.AddFineTuning(values, (int)shape[1], Rank, productScale: 1e-3f, noiseScale: 2e-4f, seed: (i * 131) + fineTuning);
            }

            writer.WriteTensor(name, TensorType.F32, shape, values);
        }

        writer.SetConfig(ModelConfig.Parse(Config, folder));
        writer.Commit();
        return folder;
    }

    /// <summary>Writes the routed network below a folder, where it is not there yet.</summary>
    /// <returns>Its folder.</returns>
    public static string WriteRouted(string folder, int experts)
    {
        string plain = WritePlain(folder), fused = Path.Combine(folder, $"clip-b32-{experts}experts");
        if (Directory.Exists(fused))
        {
            return fused;
        }

        string adapters = Directory.CreateTempSubdirectory("smile-adapters-").FullName;
        try
        {
            for (int e = 0; e < experts; e++)
            {
                WriteAdapter(Path.Combine(adapters, $"expert{e}"), seed: e + 2);
            }

            using ModelPool pool = ModelPool.Open(
                plain, Enumerable.Range(0, experts).Select(e => KeyValuePair.Create($"expert{e}", Path.Combine(adapters, $"expert{e}"))));
            new SmileFusion(new SmileFusionOptions { ExpertRank = Rank, RouterRank = 16 }).Fuse(pool, fused);
            return fused;
        }
        finally
        {
            Directory.Delete(adapters, recursive: true);
        }
    }

    private static void WriteAdapter(string folder, int seed)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            $$"""{ "peft_type": "LORA", "r": {{Rank}}, "lora_alpha": {{Rank}}, "bias": "none", "target_modules": "all-linear" }""");
        var random = new Random(seed);
        var factors = new Dictionary<string, HostTensor>();
        foreach ((string name, int outputs, int inputs, _) in LinearLayers())
        {
            factors[$"base_model.model.{name}.lora_A.weight"] = HostTensor.FromFloats([Rank, inputs], Values(random, [Rank, inputs], 0.04f));
            factors[$"base_model.model.{name}.lora_B.weight"] = HostTensor.FromFloats([outputs, Rank], Values(random, [outputs, Rank], 0.04f));
        }

        TensorFile.Write(Path.Combine(folder, "adapter_model.safetensors"), factors);
    }

    private static IEnumerable<(string Name, int Outputs, int Inputs, bool Bias)> LinearLayers()
    {
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"vision_model.encoder.layers.{i}";
            foreach (string name in (string[])["q_proj", "k_proj", "v_proj", "out_proj"])
            {
                yield return ($"{layer}.self_attn.{name}", Hidden, Hidden, true);
            }

            yield return ($"{layer}.mlp.fc1", Inner, Hidden, true);
            yield return ($"{layer}.mlp.fc2", Hidden, Inner, true);
        }

        yield return ("visual_projection", Projection, Hidden, false);
    }

    private static IEnumerable<(string Name, long[] Shape)> Tensors()
    {
        yield return ("vision_model.embeddings.class_embedding", [Hidden]);
        yield return ("vision_model.embeddings.patch_embedding.weight", [Hidden, 3, 32, 32]);
        yield return ("vision_model.embeddings.position_embedding.weight", [50, Hidden]);
        foreach (string norm in Enumerable.Range(0, Layers)
            .SelectMany(i => new[] { $"encoder.layers.{i}.layer_norm1", $"encoder.layers.{i}.layer_norm2" })
            .Concat(["pre_layrnorm", "post_layernorm"]))
        {
            yield return ($"vision_model.{norm}.weight", [Hidden]);
            yield return ($"vision_model.{norm}.bias", [Hidden]);
        }

        foreach ((string name, int outputs, int inputs, bool bias) in LinearLayers())
        {
            yield return ($"{name}.weight", [outputs, inputs]);
            if (bias)
            {
                yield return ($"{name}.bias", [outputs]);
            }
        }
    }

    private static float[] Values(Random random, long[] shape, float width, float center = 0)
    {
        var values = new float[shape.Aggregate(1L, (product, dimension) => product * dimension)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = center + (width * (random.NextSingle() - 0.5f) * 2);
        }

        return values;
    }
}
