using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>Builds <see cref="T5"/>. Absent config values take Hugging Face's defaults (those of the first T5, small).</summary>
internal sealed class T5Architecture : IArchitecture
{
    public IReadOnlyList<string> ModelTypes { get; } = ["t5"];

    /// <summary>Cross-attention has no positions, and both halves share one table; the first checkpoints hold more.</summary>
    public CheckpointNames Names { get; } = new()
    {
        Unused = ["*.EncDecAttention.relative_attention_bias.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"],
    };

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("T5ForConditionalGeneration", "T5Model", "T5WithLMHeadModel");
        var sizes = Sizes.Read(config);
        var words = new Embedding(builder.Parameter("shared.weight", sizes.Vocabulary, sizes.Hidden));
        var encoder = new T5Encoder(words, Positions(builder, sizes, "encoder", bidirectional: true), EncoderLayers(builder, sizes), After(builder, sizes, "encoder"));
        return new T5(
            sizes.Hidden,
            encoder,
            Decoder(builder, sizes, words),
            config.GetInt32("decoder_start_token_id", config.GetInt32("pad_token_id", 0), minimum: 0, maximum: sizes.Vocabulary - 1),
            config.Has("eos_token_id") ? config.ReadEndTokens() : [1]);
    }

    private static T5EncoderLayer[] EncoderLayers(ModuleBuilder builder, Sizes sizes)
    {
        var layers = new T5EncoderLayer[sizes.EncoderLayers];
        for (int i = 0; i < layers.Length; i++)
        {
            string block = $"encoder.block.{i}.layer";
            layers[i] = new T5EncoderLayer(
                builder.RmsNorm($"{block}.0.layer_norm", sizes.Hidden, sizes.Epsilon),
                Attention(builder, sizes, $"{block}.0.SelfAttention"),
                builder.RmsNorm($"{block}.1.layer_norm", sizes.Hidden, sizes.Epsilon),
                Perceptron(builder, sizes, $"{block}.1.DenseReluDense"));
        }

        return layers;
    }

    private static T5Decoder Decoder(ModuleBuilder builder, Sizes sizes, Embedding words)
    {
        RelativePositionBias positions = Positions(builder, sizes, "decoder", bidirectional: false);
        var layers = new T5DecoderLayer[sizes.DecoderLayers];
        for (int i = 0; i < layers.Length; i++)
        {
            string block = $"decoder.block.{i}.layer";
            layers[i] = new T5DecoderLayer(
                builder.RmsNorm($"{block}.0.layer_norm", sizes.Hidden, sizes.Epsilon),
                Attention(builder, sizes, $"{block}.0.SelfAttention"),
                builder.RmsNorm($"{block}.1.layer_norm", sizes.Hidden, sizes.Epsilon),
                Attention(builder, sizes, $"{block}.1.EncDecAttention"),
                builder.RmsNorm($"{block}.2.layer_norm", sizes.Hidden, sizes.Epsilon),
                Perceptron(builder, sizes, $"{block}.2.DenseReluDense"));
        }

        RmsNorm after = After(builder, sizes, "decoder");
        return builder.Config.GetBoolean("tie_word_embeddings", true)
            ? new T5Decoder(
                words, positions, layers, after, 1f / MathF.Sqrt(sizes.Hidden), builder.TiedLinear("lm_head", "shared.weight", sizes.Vocabulary, sizes.Hidden))
            : new T5Decoder(words, positions, layers, after, 1f, builder.Linear("lm_head", sizes.Vocabulary, sizes.Hidden, bias: false));
    }

    /// <summary>The table of the first block, which serves all.</summary>
    private static RelativePositionBias Positions(ModuleBuilder builder, Sizes sizes, string stack, bool bidirectional)
        => new(
            builder.Parameter($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", sizes.Buckets, sizes.Heads),
            sizes.Buckets,
            bidirectional,
            sizes.MaxDistance);

    private static RmsNorm After(ModuleBuilder builder, Sizes sizes, string stack)
        => builder.RmsNorm($"{stack}.final_layer_norm", sizes.Hidden, sizes.Epsilon);

    /// <summary>Attention whose scores are not scaled.</summary>
    private static MultiHeadAttention Attention(ModuleBuilder builder, Sizes sizes, string name)
    {
        int features = builder.Config.GetHeadFeatures(sizes.Heads, sizes.HeadSize);
        return new MultiHeadAttention(
            sizes.Heads,
            scale: 1f,
            builder.Linear($"{name}.q", features, sizes.Hidden, bias: false),
            builder.Linear($"{name}.k", features, sizes.Hidden, bias: false),
            builder.Linear($"{name}.v", features, sizes.Hidden, bias: false),
            builder.Linear($"{name}.o", sizes.Hidden, features, bias: false));
    }

    private static FeedForward Perceptron(ModuleBuilder builder, Sizes sizes, string name)
        => new(
            inner: builder.Linear(sizes.IsGated ? $"{name}.wi_0" : $"{name}.wi", sizes.Inner, sizes.Hidden, bias: false),
            activation: sizes.Activation,
            factor: sizes.IsGated ? builder.Linear($"{name}.wi_1", sizes.Inner, sizes.Hidden, bias: false) : null,
            outer: builder.Linear($"{name}.wo", sizes.Hidden, sizes.Inner, bias: false));

    private sealed record Sizes
    {
        private const string Projection = "feed_forward_proj";

        public required int Vocabulary { get; init; }

        public required int Hidden { get; init; }

        public required int Heads { get; init; }

        public required int HeadSize { get; init; }

        public required int Inner { get; init; }

        public required int EncoderLayers { get; init; }

        public required int DecoderLayers { get; init; }

        public required int Buckets { get; init; }

        public required int MaxDistance { get; init; }

        public required float Epsilon { get; init; }

        public required bool IsGated { get; init; }

        public required Activation Activation { get; init; }

        public static Sizes Read(ModelConfig config)
        {
            int layers = config.GetLayerCount("num_layers", 6);
            int buckets = config.GetInt32("relative_attention_num_buckets", 32, minimum: 4);

            // feed_forward_proj says both; the other two keys, which newer configs repeat it in, win.
            string projection = config.GetString(Projection, "relu");
            bool gated = projection.StartsWith("gated-", StringComparison.Ordinal);
            string activation = projection == "gated-gelu" ? "gelu_new" : projection[(gated ? "gated-".Length : 0)..];
            return new Sizes
            {
                Vocabulary = config.GetInt32("vocab_size", 32128, minimum: 1),
                Hidden = config.GetInt32("d_model", 512, minimum: 1),
                Heads = config.GetInt32("num_heads", 8, minimum: 1),
                HeadSize = config.GetInt32("d_kv", 64, minimum: 1),
                Inner = config.GetInt32("d_ff", 2048, minimum: 1),
                EncoderLayers = layers,
                DecoderLayers = config.GetLayerCount("num_decoder_layers", layers),
                Buckets = buckets,
                MaxDistance = config.GetInt32("relative_attention_max_distance", 128, minimum: (buckets / 2) + 1),
                Epsilon = config.GetEpsilon("layer_norm_epsilon", 1e-6),
                IsGated = config.GetBoolean("is_gated_act", gated),
                Activation = config.Has("dense_act_fn")
                    ? HiddenActivation.Read(config, "dense_act_fn", activation)
                    : HiddenActivation.Parse(config, Projection, activation),
            };
        }
    }
}
