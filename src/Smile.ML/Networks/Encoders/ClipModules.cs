using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>Builds the modules that both halves of CLIP name alike.</summary>
internal static class ClipModules
{
    /// <summary>Builds <c>encoder.layers.0</c> and so on.</summary>
    /// <param name="builder">Gives the modules.</param>
    /// <param name="root">What their names start with.</param>
    /// <param name="config">The half's configuration.</param>
    /// <param name="hidden">Features of a token.</param>
    /// <param name="defaultHeads">The number of heads where the config has none.</param>
    /// <param name="defaultInner">The features inside a perceptron where the config has none.</param>
    public static IReadOnlyList<PreNormLayer> Layers(
        ModuleBuilder builder, string root, ModelConfig config, int hidden, int defaultHeads, int defaultInner)
    {
        int heads = config.GetHeads(hidden, defaultHeads);
        int inner = config.GetInt32("intermediate_size", defaultInner, minimum: 1);
        float epsilon = Epsilon(config);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "quick_gelu");
        var layers = new PreNormLayer[config.GetLayerCount("num_hidden_layers", 12)];
        for (int i = 0; i < layers.Length; i++)
        {
            string layer = $"{root}.encoder.layers.{i}";
            layers[i] = new PreNormLayer(
                builder.LayerNorm($"{layer}.layer_norm1", hidden, epsilon),
                new MultiHeadAttention(
                    heads,
                    builder.Linear($"{layer}.self_attn.q_proj", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.self_attn.k_proj", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.self_attn.v_proj", hidden, hidden, bias: true),
                    builder.Linear($"{layer}.self_attn.out_proj", hidden, hidden, bias: true)),
                builder.LayerNorm($"{layer}.layer_norm2", hidden, epsilon),
                new FeedForward(
                    builder.Linear($"{layer}.mlp.fc1", inner, hidden, bias: true),
                    activation,
                    builder.Linear($"{layer}.mlp.fc2", hidden, inner, bias: true)));
        }

        return layers;
    }

    /// <summary>Builds a half's projection into the common space, where the checkpoint has it.</summary>
    public static Linear? Projection(ModuleBuilder builder, string name, int hidden)
        => builder.HasHead(name, "WithProjection") || builder.HasHead(name, "CLIPModel")
            ? builder.Linear(name, ProjectionSize(builder.Config), hidden, bias: false)
            : null;

    /// <summary>Reads the features of the embeddings that images and texts have in common.</summary>
    public static int ProjectionSize(ModelConfig config) => config.GetInt32("projection_dim", 512, minimum: 1);

    /// <summary>Reads what the norms add to the variance.</summary>
    public static float Epsilon(ModelConfig config) => config.GetEpsilon("layer_norm_eps", 1e-5);
}
