using System.Globalization;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;

namespace Smile.ML.Examples.TinyPools;

/// <summary>Writes a family's pool: the pretrained model, its fine-tunes, and inputs. Training is stood in for by random changes of low rank.</summary>
internal static class TinyPool
{
    private const int ChangeRank = 4;

    public static void Write(string folder, Family family)
    {
        var random = new Random(7);
        Dictionary<string, HostTensor> pretrained = Fill(random, family.Tensors);
        WriteModel(Path.Combine(folder, ModelPool.PretrainedFolder), family.Config, pretrained);
        foreach (ExpertModel expert in family.Experts)
        {
            string path = Path.Combine(folder, expert.Name);
            if (expert.IsAdapter)
            {
                WriteAdapter(random, path, family.Tensors);
                continue;
            }

            var tensors = new Dictionary<string, HostTensor>(pretrained);
            foreach ((string name, int[] shape, _) in LinearWeights(family.Tensors))
            {
                tensors[name] = FineTune(random, pretrained[name], shape);
            }

            WriteModel(path, WithLabels(family.Config, expert.Labels), expert.Head is null ? tensors : [.. tensors, .. Fill(random, expert.Head)]);
        }

        TensorFile.Write(Path.Combine(folder, "data", "inputs.safetensors"), family.Inputs);
    }

    /// <summary>Normal values, by Box and Muller's method.</summary>
    public static HostTensor Gaussian(Random random, float scale, params int[] shape)
    {
        var values = new float[shape.Aggregate(1, (product, dimension) => product * dimension)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return HostTensor.FromFloats([.. shape.Select(dimension => (long)dimension)], values);
    }

    private static Dictionary<string, HostTensor> Fill(Random random, TensorList list)
        => list.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Kind switch
        {
            TensorKind.Ones => Constant(1, tensor.Shape),
            TensorKind.Zeros => Constant(0, tensor.Shape),
            _ => Gaussian(random, 1 / MathF.Sqrt(tensor.Shape[^1]), tensor.Shape),
        });

    private static HostTensor Constant(float value, int[] shape) => HostTensor.FromFloats([shape[0]], [.. Enumerable.Repeat(value, shape[0])]);

    private static IEnumerable<(string Name, int[] Shape, TensorKind Kind)> LinearWeights(TensorList list)
        => list.Tensors.Where(tensor => tensor.Kind == TensorKind.LinearWeight);

    /// <summary>W_0 plus B A.</summary>
    private static HostTensor FineTune(Random random, HostTensor weight, int[] shape)
    {
        (float[] b, float[] a) = Factors(random, shape);
        float[] values = [.. weight.Floats!];
        for (int i = 0; i < values.Length; i++)
        {
            for (int r = 0; r < ChangeRank; r++)
            {
                values[i] += b[(i / shape[1] * ChangeRank) + r] * a[(r * shape[1]) + (i % shape[1])];
            }
        }

        return HostTensor.FromFloats(weight.Shape, values);
    }

    /// <summary>The factors of a change: B [outputs, rank] and A [rank, inputs].</summary>
    private static (float[] B, float[] A) Factors(Random random, int[] shape)
        => (Gaussian(random, 0.2f, shape[0], ChangeRank).Floats!, Gaussian(random, 1 / MathF.Sqrt(shape[1]), ChangeRank, shape[1]).Floats!);

    private static void WriteModel(string folder, JsonObject config, IEnumerable<KeyValuePair<string, HostTensor>> tensors)
    {
        TensorFile.Write(Path.Combine(folder, "model.safetensors"), new Dictionary<string, HostTensor>(tensors));
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), config.ToString());
    }

    /// <summary>Writes a PEFT LoRA adapter of all linear layers but the head, with lora_alpha = r, so that its change is B A itself.</summary>
    private static void WriteAdapter(Random random, string folder, TensorList list)
    {
        var tensors = new Dictionary<string, HostTensor>();
        foreach ((string name, int[] shape, _) in LinearWeights(list).Where(tensor => tensor.Name != "lm_head.weight"))
        {
            string module = $"base_model.model.{name[..^".weight".Length]}";
            (float[] b, float[] a) = Factors(random, shape);
            tensors[$"{module}.lora_A.weight"] = HostTensor.FromFloats([ChangeRank, shape[1]], a);
            tensors[$"{module}.lora_B.weight"] = HostTensor.FromFloats([shape[0], ChangeRank], b);
        }

        TensorFile.Write(Path.Combine(folder, "adapter_model.safetensors"), tensors);
        AtomicFile.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            new JsonObject { ["peft_type"] = "LORA", ["r"] = ChangeRank, ["lora_alpha"] = ChangeRank, ["target_modules"] = "all-linear", ["bias"] = "none" }.ToString());
    }

    private static JsonObject WithLabels(JsonObject config, IReadOnlyList<string>? labels)
    {
        JsonObject copy = config.DeepClone().AsObject();
        if (labels is not null)
        {
            copy["id2label"] = new JsonObject(labels.Select((label, i) => KeyValuePair.Create(i.ToString(CultureInfo.InvariantCulture), (JsonNode?)label)));
        }

        return copy;
    }
}
