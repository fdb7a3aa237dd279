using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Examples.TinyPools;

/// <summary>The families that Smile.ML reads, in sizes that fuse in an instant.</summary>
internal static class Families
{
    private const int Hidden = 32;
    private const int Inner = 64;
    private const int Layers = 2;
    private const int Vocabulary = 64;
    private const int Positions = 24;
    private const int ImageSize = 16;
    private const int PatchSize = 8;
    private const int Patches = ImageSize / PatchSize * (ImageSize / PatchSize);

    private static readonly ExpertModel[] TwoExperts = [new("day"), new("night")];

    public static IEnumerable<Family> All =>
        [Clip(), Vit(), Bert(), Roberta(), T5(), Decoder("mistral", TwoExperts), Decoder("llama", [new("code"), new("maths", IsAdapter: true)]), Decoder("qwen2", TwoExperts), Mlp()];

    private static Family Clip()
    {
        var tensors = new TensorList()
            .Table("vision_model.embeddings.class_embedding", Hidden)
            .Table("vision_model.embeddings.patch_embedding.weight", Hidden, 3, PatchSize, PatchSize)
            .Table("vision_model.embeddings.position_embedding.weight", Patches + 1, Hidden)
            .Norm("vision_model.pre_layrnorm", Hidden);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"vision_model.encoder.layers.{i}";
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj", "out_proj"])
            {
                tensors.Linear($"{layer}.self_attn.{projection}", Hidden, Hidden);
            }

            tensors.Norm($"{layer}.layer_norm1", Hidden).Linear($"{layer}.mlp.fc1", Inner, Hidden)
                .Linear($"{layer}.mlp.fc2", Hidden, Inner).Norm($"{layer}.layer_norm2", Hidden);
        }

        tensors.Norm("vision_model.post_layernorm", Hidden).Linear("visual_projection", 12, Hidden, bias: false);
        JsonObject config = Encoder("clip_vision_model", ("image_size", ImageSize), ("patch_size", PatchSize), ("projection_dim", 12));
        return new Family("clip", config, tensors, TwoExperts, Images());
    }

    private static Family Vit()
    {
        var tensors = new TensorList()
            .Table("vit.embeddings.cls_token", 1, 1, Hidden)
            .Table("vit.embeddings.position_embeddings", 1, Patches + 1, Hidden)
            .Table("vit.embeddings.patch_embeddings.projection.weight", Hidden, 3, PatchSize, PatchSize)
            .Table("vit.embeddings.patch_embeddings.projection.bias", Hidden);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"vit.encoder.layer.{i}";
            foreach (string projection in (string[])["attention.query", "attention.key", "attention.value", "output.dense"])
            {
                tensors.Linear($"{layer}.attention.{projection}", Hidden, Hidden);
            }

            tensors.Norm($"{layer}.layernorm_before", Hidden).Linear($"{layer}.intermediate.dense", Inner, Hidden)
                .Linear($"{layer}.output.dense", Hidden, Inner).Norm($"{layer}.layernorm_after", Hidden);
        }

        tensors.Norm("vit.layernorm", Hidden);
        ExpertModel[] experts =
        [
            new("birds", new TensorList().Linear("classifier", 3, Hidden), ["finch", "heron", "owl"]),
            new("flowers", new TensorList().Linear("classifier", 2, Hidden), ["aster", "rose"]),
        ];
        return new Family("vit", Encoder("vit", ("image_size", ImageSize), ("patch_size", PatchSize)), tensors, experts, Images());
    }

    private static Family Bert()
    {
        ExpertModel[] experts =
        [
            new("mood", new TensorList().Linear("classifier", 2, Hidden), ["glad", "sad"]),
            new("topic", new TensorList().Linear("classifier", 3, Hidden), ["food", "sport", "weather"]),
        ];
        TensorList tensors = Bert("bert").Linear("bert.pooler.dense", Hidden, Hidden);
        return new Family("bert", Encoder("bert", ("vocab_size", Vocabulary), ("max_position_embeddings", Positions)), tensors, experts, Tokens());
    }

    private static Family Roberta()
    {
        ExpertModel[] experts = [.. new[] { ("formal", 2), ("language", 4) }.Select(task => new ExpertModel(
            task.Item1,
            new TensorList().Linear("classifier.dense", Hidden, Hidden).Linear("classifier.out_proj", task.Item2, Hidden),
            [.. Enumerable.Range(0, task.Item2).Select(label => $"{task.Item1} {label}")]))];
        JsonObject config = Encoder("roberta", ("vocab_size", Vocabulary), ("max_position_embeddings", Positions), ("type_vocab_size", 1), ("pad_token_id", 1));
        return new Family("roberta", config, Bert("roberta", tokenTypes: 1), experts, Tokens());
    }

    private static TensorList Bert(string root, int tokenTypes = 2)
    {
        var tensors = new TensorList()
            .Table($"{root}.embeddings.word_embeddings.weight", Vocabulary, Hidden)
            .Table($"{root}.embeddings.position_embeddings.weight", Positions, Hidden)
            .Table($"{root}.embeddings.token_type_embeddings.weight", tokenTypes, Hidden)
            .Norm($"{root}.embeddings.LayerNorm", Hidden);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"{root}.encoder.layer.{i}";
            foreach (string projection in (string[])["self.query", "self.key", "self.value", "output.dense"])
            {
                tensors.Linear($"{layer}.attention.{projection}", Hidden, Hidden);
            }

            tensors.Norm($"{layer}.attention.output.LayerNorm", Hidden).Linear($"{layer}.intermediate.dense", Inner, Hidden)
                .Linear($"{layer}.output.dense", Hidden, Inner).Norm($"{layer}.output.LayerNorm", Hidden);
        }

        return tensors;
    }

    private static Family T5()
    {
        var tensors = new TensorList().Table("shared.weight", Vocabulary, Hidden);
        foreach ((string stack, string[] attentions) in new[] { ("encoder", new[] { "SelfAttention" }), ("decoder", ["SelfAttention", "EncDecAttention"]) })
        {
            tensors.Table($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 32, 4).Norm($"{stack}.final_layer_norm", Hidden, bias: false);
            for (int i = 0; i < Layers; i++)
            {
                for (int part = 0; part < attentions.Length; part++)
                {
                    foreach (char projection in "qkvo")
                    {
                        tensors.Linear($"{stack}.block.{i}.layer.{part}.{attentions[part]}.{projection}", Hidden, Hidden, bias: false);
                    }

                    tensors.Norm($"{stack}.block.{i}.layer.{part}.layer_norm", Hidden, bias: false);
                }

                string last = $"{stack}.block.{i}.layer.{attentions.Length}";
                tensors.Linear($"{last}.DenseReluDense.wi_0", Inner, Hidden, bias: false).Linear($"{last}.DenseReluDense.wi_1", Inner, Hidden, bias: false)
                    .Linear($"{last}.DenseReluDense.wo", Hidden, Inner, bias: false).Norm($"{last}.layer_norm", Hidden, bias: false);
            }
        }

        tensors.Linear("lm_head", Vocabulary, Hidden, bias: false);
        JsonObject config = new()
        {
            ["model_type"] = "t5",
            ["d_model"] = Hidden,
            ["d_kv"] = 8,
            ["d_ff"] = Inner,
            ["num_layers"] = Layers,
            ["num_decoder_layers"] = Layers,
            ["num_heads"] = 4,
            ["vocab_size"] = Vocabulary,
            ["feed_forward_proj"] = "gated-gelu",
            ["tie_word_embeddings"] = false,
            ["decoder_start_token_id"] = 0,
            ["eos_token_id"] = 1,
        };
        var inputs = new Dictionary<string, HostTensor>(Tokens()) { ["decoder_input_ids"] = HostTensor.FromIntegers([2, 3], [0, 7, 9, 0, 11, 5]) };
        return new Family("t5", config, tensors, [new("summary"), new("translation")], inputs);
    }

    /// <summary>Mistral, Llama and Qwen2 differ in what has a bias, and in the head: Qwen2's small models tie it to the embeddings.</summary>
    private static Family Decoder(string type, IReadOnlyList<ExpertModel> experts)
    {
        bool isQwen = type == "qwen2";
        var tensors = new TensorList().Table("model.embed_tokens.weight", Vocabulary, Hidden).Norm("model.norm", Hidden, bias: false);
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"model.layers.{i}";
            tensors.Linear($"{layer}.self_attn.q_proj", Hidden, Hidden, isQwen).Linear($"{layer}.self_attn.k_proj", Hidden / 2, Hidden, isQwen)
                .Linear($"{layer}.self_attn.v_proj", Hidden / 2, Hidden, isQwen).Linear($"{layer}.self_attn.o_proj", Hidden, Hidden, bias: false)
                .Linear($"{layer}.mlp.gate_proj", Inner, Hidden, bias: false).Linear($"{layer}.mlp.up_proj", Inner, Hidden, bias: false)
                .Linear($"{layer}.mlp.down_proj", Hidden, Inner, bias: false)
                .Norm($"{layer}.input_layernorm", Hidden, bias: false).Norm($"{layer}.post_attention_layernorm", Hidden, bias: false);
        }

        if (!isQwen)
        {
            tensors.Linear("lm_head", Vocabulary, Hidden, bias: false);
        }

        JsonObject config = Encoder(type, ("num_key_value_heads", 2), ("vocab_size", Vocabulary), ("rope_theta", 10000), ("max_position_embeddings", 512), ("eos_token_id", 2));
        config["rms_norm_eps"] = 1e-5;
        config["tie_word_embeddings"] = isQwen;
        return new Family(type, config, tensors, experts, Tokens());
    }

    private static Family Mlp()
    {
        TensorList tensors = new TensorList().Linear("layers.0", Inner, 20).Linear("layers.1", Hidden, Inner).Linear("layers.2", 4, Hidden);
        var inputs = new Dictionary<string, HostTensor> { ["x"] = TinyPool.Gaussian(new Random(1), 1, 5, 20) };
        return new Family("mlp", new JsonObject { ["model_type"] = "mlp", ["hidden_act"] = "relu" }, tensors, TwoExperts, inputs);
    }

    private static JsonObject Encoder(string type, params (string Key, int Value)[] more)
    {
        var config = new JsonObject
        {
            ["model_type"] = type,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Inner,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = 4,
        };
        foreach ((string key, int value) in more)
        {
            config[key] = value;
        }

        return config;
    }

    private static Dictionary<string, HostTensor> Images()
        => new() { ["pixel_values"] = TinyPool.Gaussian(new Random(1), 1, 2, 3, ImageSize, ImageSize) };

    private static Dictionary<string, HostTensor> Tokens()
        => new() { ["input_ids"] = HostTensor.FromIntegers([2, 6], [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 3]) };
}
