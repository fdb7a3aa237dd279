using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// Builds the modules that BERT's and RoBERTa's checkpoints name alike. Absent config values take Hugging Face's defaults, which are the
/// same for both.
/// </summary>
internal static class BertModules
{
    /// <summary>Gets what the modules' names start with: the prefix, or nothing in a checkpoint of the bare encoder.</summary>
    public static string FindRoot(ModuleBuilder builder, string prefix)
        => builder.FindLinear("encoder.layer.0.attention.self.query") is null ? prefix : string.Empty;

    /// <summary>Checks the config values of which only some are supported.</summary>
    /// <exception cref="SmileException">One is not.</exception>
    public static void RequireSupported(ModelConfig config)
    {
        config.Require("position_embedding_type", "absolute", "absolute");
        config.RequireOff("is_decoder");
        config.RequireOff("add_cross_attention");
    }

    /// <summary>Builds <c>embeddings</c>.</summary>
    public static BertEmbeddings Embeddings(ModuleBuilder builder, string root, BertSizes sizes)
        => new(
            new Embedding(builder.Parameter($"{root}embeddings.word_embeddings.weight", sizes.Vocabulary, sizes.Hidden)),
            new Embedding(builder.Parameter($"{root}embeddings.token_type_embeddings.weight", sizes.TokenTypes, sizes.Hidden)),
            new Embedding(builder.Parameter($"{root}embeddings.position_embeddings.weight", sizes.Positions, sizes.Hidden)),
            builder.LayerNorm($"{root}embeddings.LayerNorm", sizes.Hidden, Epsilon(builder.Config)));

    /// <summary>Builds <c>encoder.layer.0</c> and so on.</summary>
    public static IReadOnlyList<PostNormLayer> Layers(ModuleBuilder builder, string root, int hidden)
    {
        ModelConfig config = builder.Config;
        int heads = config.GetHeads(hidden);
        int inner = config.GetInt32("intermediate_size", 3072, minimum: 1);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "gelu");
        var layers = new PostNormLayer[config.GetLayerCount("num_hidden_layers", 12)];
        for (int i = 0; i < layers.Length; i++)
        {
            string layer = $"{root}encoder.layer.{i}";
            layers[i] = new PostNormLayer(
                new MultiHeadAttention(
                    heads,
                    builder.Linear($"{layer}.attention.self.query", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.attention.self.key", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.attention.self.value", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.attention.output.dense", hidden, hidden, bias: true)),
                builder.LayerNorm($"{layer}.attention.output.LayerNorm", hidden, Epsilon(config)),
                new FeedForward(
                    builder.Linear($"{layer}.intermediate.dense", inner, hidden, bias: true),
                    activation,
                    builder.Linear($"{layer}.output.dense", hidden, inner, bias: true)),
                builder.LayerNorm($"{layer}.output.LayerNorm", hidden, Epsilon(config)));
        }

        return layers;
    }

    private static float Epsilon(ModelConfig config) => config.GetEpsilon("layer_norm_eps", 1e-12);
}
