using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Networks;
using Smile.ML.Tests.Networks.Decoders;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Writes pools of small text networks with random weights, and makes rows of token ids for them.</summary>
internal static class TinyTextModels
{
    public const int Hidden = 12;
    public const int Vocabulary = 50;
    public const int Padding = 2;

    /// <summary>Token ids of rows of many lengths, the padding id among them.</summary>
    public static long[][] Rows { get; } =
        [.. new[] { 5, 1, 33, 17, 16, 8, 40, 5, 21, 15, 2, 33 }.Select((length, row) =>
            Enumerable.Range(0, length).Select(i => (long)(((row * 31) + (i * (row + 7))) % Vocabulary)).ToArray())];

    /// <summary>Writes a pool: a pretrained network and two experts.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="type">The <c>model_type</c>: <c>bert</c>, <c>roberta</c>, <c>mistral</c>, <c>llama</c>, <c>qwen2</c> or <c>t5</c>.</param>
    /// <param name="changes">JSON members that are added to the config or replace its own.</param>
    /// <param name="classes">The classes of BERT and RoBERTa; 0 for no head.</param>
    public static string WritePool(string folder, string type, string changes = "{}", int classes = 0)
    {
        (JsonObject config, Dictionary<string, HostTensor> pretrained) = type switch
        {
            "mistral" or "llama" or "qwen2" => (new TinyDecoder(type).Config, new TinyDecoder(type).Tensors),
            "t5" => (T5Config(), T5Weights()),
            _ => (BertConfig(type), BertWeights(type, classes)),
        };
        foreach ((string key, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
        {
            config[key] = value?.DeepClone();
        }

        TestPool.WriteModel(Path.Combine(folder, "_pretrained_"), config, pretrained);
        for (int e = 0; e < 2; e++)
        {
            var random = new Random(e);
            TestPool.WriteModel(Path.Combine(folder, $"expert{e}"), config, pretrained.ToDictionary(tensor => tensor.Key, tensor => Tune(tensor.Value, random)));
        }

        return folder;
    }

    private static HostTensor Tune(HostTensor tensor, Random random)
        => HostTensor.FromFloats(tensor.Shape, [.. tensor.Floats!.Select(value => value + (0.2f * (random.NextSingle() - 0.5f)))]);

    private static JsonObject BertConfig(string type) => new()
    {
        ["model_type"] = type,
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 18,
        ["num_hidden_layers"] = 2,
        ["num_attention_heads"] = 3,
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = 48,
        ["type_vocab_size"] = 2,
        ["pad_token_id"] = Padding,
    };

    private static Dictionary<string, HostTensor> BertWeights(string type, int classes)
    {
        var weights = new RandomWeights(seed: 3);
        weights.Add($"{type}.embeddings.word_embeddings.weight", 1, Vocabulary, Hidden);
        weights.Add($"{type}.embeddings.token_type_embeddings.weight", 1, 2, Hidden);
        weights.Add($"{type}.embeddings.position_embeddings.weight", 1, 48, Hidden);
        weights.AddLayerNorm($"{type}.embeddings.LayerNorm", Hidden);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"{type}.encoder.layer.{i}";
            foreach (string name in (string[])["self.query", "self.key", "self.value", "output.dense"])
            {
                weights.AddLinear($"{layer}.attention.{name}", Hidden, Hidden);
            }

            weights.AddLayerNorm($"{layer}.attention.output.LayerNorm", Hidden);
            weights.AddLinear($"{layer}.intermediate.dense", 18, Hidden);
            weights.AddLinear($"{layer}.output.dense", Hidden, 18);
            weights.AddLayerNorm($"{layer}.output.LayerNorm", Hidden);
        }

        if (type == "bert" || classes == 0)
        {
            weights.AddLinear($"{type}.pooler.dense", Hidden, Hidden);
        }

        if (classes > 0)
        {
            if (type == "roberta")
            {
                weights.AddLinear("classifier.dense", Hidden, Hidden);
            }

            weights.AddLinear(type == "bert" ? "classifier" : "classifier.out_proj", classes, Hidden);
        }

        return weights.Tensors;
    }

    private static JsonObject T5Config() => new()
    {
        ["model_type"] = "t5",
        ["d_model"] = Hidden,
        ["d_kv"] = 4,
        ["d_ff"] = 18,
        ["num_heads"] = 3,
        ["num_layers"] = 1,
        ["num_decoder_layers"] = 1,
        ["vocab_size"] = Vocabulary,
        ["relative_attention_num_buckets"] = 8,
        ["relative_attention_max_distance"] = 16,
        ["feed_forward_proj"] = "relu",
        ["tie_word_embeddings"] = true,
        ["decoder_start_token_id"] = 0,
        ["eos_token_id"] = 1,
        ["pad_token_id"] = 0,
    };

    private static Dictionary<string, HostTensor> T5Weights()
    {
        var weights = new RandomWeights(seed: 4);
        weights.Add("shared.weight", 1, Vocabulary, Hidden);
        foreach (string stack in (string[])["encoder", "decoder"])
        {
            weights.Add($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 1, 8, 3);
            string[] attentions = stack == "encoder" ? ["SelfAttention"] : ["SelfAttention", "EncDecAttention"];
            for (int a = 0; a < attentions.Length; a++)
            {
                weights.AddRmsNorm($"{stack}.block.0.layer.{a}.layer_norm", Hidden);
                foreach (string name in (string[])["q", "k", "v", "o"])
                {
                    weights.AddLinear($"{stack}.block.0.layer.{a}.{attentions[a]}.{name}", Hidden, Hidden, bias: false);
                }
            }

            string last = $"{stack}.block.0.layer.{attentions.Length}";
            weights.AddRmsNorm($"{last}.layer_norm", Hidden);
            weights.AddLinear($"{last}.DenseReluDense.wi", 18, Hidden, bias: false);
            weights.AddLinear($"{last}.DenseReluDense.wo", Hidden, 18, bias: false);
            weights.AddRmsNorm($"{stack}.final_layer_norm", Hidden);
        }

        return weights.Tensors;
    }
}
