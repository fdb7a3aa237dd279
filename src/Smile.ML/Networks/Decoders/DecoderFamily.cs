using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.Decoders;

/// <summary>What sets one family of decoders apart from another, and the building of its networks.</summary>
internal sealed record DecoderFamily
{
    /// <summary>Rotary frequencies are computed; the first checkpoints also hold them.</summary>
    public static readonly CheckpointNames Names = new() { Unused = ["*.rotary_emb.inv_freq"] };

    private const string Table = "model.embed_tokens.weight";

    /// <summary>Gets the network's sizes.</summary>
    public required DecoderSizes Sizes { get; init; }

    /// <summary>Gets a value indicating whether the query, key and value projections have biases.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Gets a value indicating whether the attention's output projection has a bias.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Gets a value indicating whether the perceptrons have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Gets each block's sliding window, 0 for none.</summary>
    public required IReadOnlyList<int> Windows { get; init; }

    /// <summary>Builds a network with Hugging Face's parameter names.</summary>
    /// <exception cref="SmileException">The config holds an unsupported value, or a tensor isn't as expected.</exception>
    public CausalDecoder Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        float epsilon = config.GetEpsilon("rms_norm_eps", 1e-6);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "silu");
        var embedding = new Embedding(builder.Parameter(Table, Sizes.Vocabulary, Sizes.Hidden));
        DecoderLayer[] layers = [.. Enumerable.Range(0, Sizes.Layers).Select(i => Layer(builder, i, epsilon, activation))];

        // Its table is as long as a head: only now is it known that the weights have heads of that size.
        RotaryEmbedding rotary = RotaryEmbedding.Read(config, Sizes.HeadSize);
        RmsNorm norm = builder.RmsNorm("model.norm", Sizes.Hidden, epsilon);
        Linear head = config.GetBoolean("tie_word_embeddings", false)
            ? builder.TiedLinear("lm_head", Table, Sizes.Vocabulary, Sizes.Hidden)
            : builder.Linear("lm_head", Sizes.Vocabulary, Sizes.Hidden, bias: false);
        return new CausalDecoder(Sizes, rotary, embedding, layers, norm, head, config.ReadEndTokens());
    }

    private DecoderLayer Layer(ModuleBuilder builder, int index, float epsilon, Activation activation)
    {
        string layer = $"model.layers.{index}";
        int queries = builder.Config.GetHeadFeatures(Sizes.Heads, Sizes.HeadSize);
        int keys = builder.Config.GetHeadFeatures(Sizes.KeyValueHeads, Sizes.HeadSize);
        return new DecoderLayer(
            builder.RmsNorm($"{layer}.input_layernorm", Sizes.Hidden, epsilon),
            new DecoderAttention(
                Windows[index],
                builder.Linear($"{layer}.self_attn.q_proj", queries, Sizes.Hidden, QueryKeyValueBias),
                builder.Linear($"{layer}.self_attn.k_proj", keys, Sizes.Hidden, QueryKeyValueBias),
                builder.Linear($"{layer}.self_attn.v_proj", keys, Sizes.Hidden, QueryKeyValueBias),
                builder.Linear($"{layer}.self_attn.o_proj", Sizes.Hidden, queries, AttentionOutputBias)),
            builder.RmsNorm($"{layer}.post_attention_layernorm", Sizes.Hidden, epsilon),
            new FeedForward(
                inner: builder.Linear($"{layer}.mlp.gate_proj", Sizes.Inner, Sizes.Hidden, FeedForwardBias),
                activation: activation,
                factor: builder.Linear($"{layer}.mlp.up_proj", Sizes.Inner, Sizes.Hidden, FeedForwardBias),
                outer: builder.Linear($"{layer}.mlp.down_proj", Sizes.Hidden, Sizes.Inner, FeedForwardBias)));
    }
}
