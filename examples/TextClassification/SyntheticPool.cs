using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;

namespace Smile.ML.Examples.TextClassification;

/// <summary>
/// Writes a small BERT of random weights and a fine-tune of it per task, in Hugging Face's layout. Training is stood in for: a linear
/// layer's gradient lies in the span of its inputs, so a fine-tune acts where the task's own words are. Here each word's embedding gets
/// a random answer in every layer.
/// </summary>
internal static class SyntheticPool
{
    private const int Hidden = 64;
    private const int Inner = 128;
    private const int Layers = 2;
    private const int Positions = 32;
    private const float UpdateSize = 0.3f;

    /// <summary>Attention averages over a sentence: its values are large, so that single words stay visible.</summary>
    private const float ValueGain = 3;

    /// <summary>Writes the pool and returns its folder.</summary>
    public static string Write(string folder, WordTokenizer tokenizer, IReadOnlyList<SentenceTask> tasks)
    {
        var random = new Random(1);
        Dictionary<string, HostTensor> pretrained = Pretrained(random, tokenizer.VocabularySize);
        WriteModel(Path.Combine(folder, ModelPool.PretrainedFolder), tokenizer, pretrained);
        foreach (SentenceTask task in tasks)
        {
            float[] words = pretrained["embeddings.word_embeddings.weight"].Floats!;
            float[][] directions = [.. task.OwnWords.Select(word => words[(tokenizer.IdOf(word) * Hidden)..((tokenizer.IdOf(word) + 1) * Hidden)])];
            WriteModel(
                Path.Combine(folder, task.Name),
                tokenizer,
                pretrained.ToDictionary(tensor => tensor.Key, tensor => FineTune(random, tensor.Key, tensor.Value, directions)));
        }

        return folder;
    }

    private static Dictionary<string, HostTensor> Pretrained(Random random, int vocabulary)
    {
        var tensors = new Dictionary<string, HostTensor>
        {
            ["embeddings.word_embeddings.weight"] = Gaussian(random, 1, vocabulary, Hidden),
            ["embeddings.position_embeddings.weight"] = Gaussian(random, 0.1f, Positions, Hidden),
            ["embeddings.token_type_embeddings.weight"] = Gaussian(random, 0.1f, 2, Hidden),
        };
        AddNorm("embeddings.LayerNorm");
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"encoder.layer.{i}";
            AddLinear($"{layer}.attention.self.query", Hidden, Hidden);
            AddLinear($"{layer}.attention.self.key", Hidden, Hidden);
            AddLinear($"{layer}.attention.self.value", Hidden, Hidden, ValueGain);
            AddLinear($"{layer}.attention.output.dense", Hidden, Hidden, ValueGain);
            AddNorm($"{layer}.attention.output.LayerNorm");
            AddLinear($"{layer}.intermediate.dense", Inner, Hidden);
            AddLinear($"{layer}.output.dense", Hidden, Inner);
            AddNorm($"{layer}.output.LayerNorm");
        }

        AddLinear("pooler.dense", Hidden, Hidden);
        return tensors;

        void AddLinear(string name, int outputs, int inputs, float gain = 1)
        {
            tensors[$"{name}.weight"] = Gaussian(random, gain / MathF.Sqrt(inputs), outputs, inputs);
            tensors[$"{name}.bias"] = HostTensor.FromFloats([outputs], new float[outputs]);
        }

        void AddNorm(string name)
        {
            tensors[$"{name}.weight"] = HostTensor.FromFloats([Hidden], [.. Enumerable.Repeat(1f, Hidden)]);
            tensors[$"{name}.bias"] = HostTensor.FromFloats([Hidden], new float[Hidden]);
        }
    }

    /// <summary>Adds sum over words of answer * direction^T to a linear layer's weight; everything else stays.</summary>
    private static HostTensor FineTune(Random random, string name, HostTensor tensor, float[][] directions)
    {
        if (!name.StartsWith("encoder", StringComparison.Ordinal) || tensor.Shape is not [var outputs, Hidden])
        {
            return tensor;
        }

        float[] weight = [.. tensor.Floats!];
        foreach (float[] direction in directions)
        {
            float[] answer = Gaussian(random, UpdateSize / Hidden, (int)outputs).Floats!;
            for (int i = 0; i < weight.Length; i++)
            {
                weight[i] += answer[i / Hidden] * direction[i % Hidden];
            }
        }

        return HostTensor.FromFloats(tensor.Shape, weight);
    }

    private static void WriteModel(string folder, WordTokenizer tokenizer, IReadOnlyDictionary<string, HostTensor> tensors)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject
        {
            ["model_type"] = "bert",
            ["vocab_size"] = tokenizer.VocabularySize,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Inner,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = 4,
            ["max_position_embeddings"] = Positions,
            ["hidden_act"] = "gelu",
        }.ToJsonString());
        TensorFile.Write(Path.Combine(folder, "model.safetensors"), tensors);
    }

    /// <summary>Normal values, by Box and Muller's method.</summary>
    private static HostTensor Gaussian(Random random, float scale, params int[] shape)
    {
        var values = new float[shape.Aggregate(1, (product, dimension) => product * dimension)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = scale * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return HostTensor.FromFloats([.. shape.Select(dimension => (long)dimension)], values);
    }
}
