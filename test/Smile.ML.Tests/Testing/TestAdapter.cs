using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Testing;

/// <summary>Writes LoRA adapters in PEFT's layout.</summary>
internal static class TestAdapter
{
    public const string Prefix = "base_model.model.";

    /// <summary>A configuration of rank 2 and scale 1.5; each change overwrites a key, null removes it.</summary>
    public static JsonObject Config(params (string Key, JsonNode? Value)[] changes)
    {
        var config = new JsonObject { ["peft_type"] = "LORA", ["r"] = 2, ["lora_alpha"] = 3, ["bias"] = "none", ["target_modules"] = null, ["init_lora_weights"] = true };
        foreach ((string key, JsonNode? value) in changes)
        {
            config[key] = value;
        }

        return config;
    }

    /// <summary>Random factors of a layer [outputs, inputs].</summary>
    public static Dictionary<string, HostTensor> Factors(Random random, string module, int outputs, int inputs, int rank) => new()
    {
        [$"{Prefix}{module}.lora_A.weight"] = TestPool.Gaussian(random, 0.5f, rank, inputs),
        [$"{Prefix}{module}.lora_B.weight"] = TestPool.Gaussian(random, 0.5f, outputs, rank),
    };

    /// <summary>Factors of every linear layer of a perceptron with layers of the given widths.</summary>
    public static Dictionary<string, HostTensor> MlpFactors(int seed, int rank, params int[] widths)
    {
        var random = new Random(seed);
        var tensors = new Dictionary<string, HostTensor>();
        for (int i = 0; i + 1 < widths.Length; i++)
        {
            foreach ((string name, HostTensor tensor) in Factors(random, $"layers.{i}", widths[i + 1], widths[i], rank))
            {
                tensors.Add(name, tensor);
            }
        }

        return tensors;
    }

    /// <summary>Writes an adapter's folder.</summary>
    public static string Write(string folder, JsonObject config, IReadOnlyDictionary<string, HostTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), config.ToJsonString());
        TensorFile.Write(Path.Combine(folder, "adapter_model.safetensors"), tensors);
        return folder;
    }

    /// <summary>Adds scale * B A to a base weight [outputs, inputs], in float64.</summary>
    public static void Merge(HostTensor weight, HostTensor b, HostTensor a, double scale)
    {
        int outputs = (int)weight.Shape[0], inputs = (int)weight.Shape[1], rank = (int)a.Shape[0];
        for (int i = 0; i < outputs; i++)
        {
            for (int j = 0; j < inputs; j++)
            {
                double sum = 0;
                for (int k = 0; k < rank; k++)
                {
                    sum += (double)b.Floats![(i * rank) + k] * a.Floats![(k * inputs) + j];
                }

                weight.Floats![(i * inputs) + j] += (float)(scale * sum);
            }
        }
    }
}
