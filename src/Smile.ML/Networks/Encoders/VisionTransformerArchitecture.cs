using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// Builds <see cref="VisionTransformer"/> from a <c>vit</c> checkpoint, with or without the prefix <c>vit.</c> Absent config values take
/// Hugging Face's defaults (those of ViT-B/16).
/// </summary>
internal sealed class VisionTransformerArchitecture : IArchitecture
{
    public IReadOnlyList<string> ModelTypes { get; } = ["vit"];

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("ViTForImageClassification", "ViTModel", "ViTForMaskedImageModeling");
        int hidden = config.GetInt32("hidden_size", 768, minimum: 1);
        int heads = config.GetHeads(hidden);
        int inner = config.GetInt32("intermediate_size", 3072, minimum: 1);
        float epsilon = (float)config.GetDouble("layer_norm_eps", 1e-12, minimum: 0);
        bool bias = config.GetBoolean("qkv_bias", true);
        PatchGeometry geometry = config.GetPatchGeometry(defaultPatchSize: 16);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "gelu");

        string root = builder.FindLinear("encoder.layer.0.attention.attention.query") is null ? "vit." : string.Empty;
        var embeddings = new ImageEmbeddings(
            geometry,
            builder.Parameter($"{root}embeddings.cls_token", 1, 1, hidden),
            builder.PatchConvolution($"{root}embeddings.patch_embeddings.projection", hidden, geometry, bias: true),
            builder.Parameter($"{root}embeddings.position_embeddings", 1, geometry.Patches + 1, hidden));
        var layers = new PreNormLayer[config.GetInt32("num_hidden_layers", 12, minimum: 1)];
        for (int i = 0; i < layers.Length; i++)
        {
            string layer = $"{root}encoder.layer.{i}";
            layers[i] = new PreNormLayer(
                builder.LayerNorm($"{layer}.layernorm_before", hidden, epsilon),
                new MultiHeadAttention(
                    heads,
                    builder.Linear($"{layer}.attention.attention.query", hidden, hidden, bias),
                    builder.Linear($"{layer}.attention.attention.key", hidden, hidden, bias),
                    builder.Linear($"{layer}.attention.attention.value", hidden, hidden, bias),
                    builder.Linear($"{layer}.attention.output.dense", hidden, hidden, bias: true)),
                builder.LayerNorm($"{layer}.layernorm_after", hidden, epsilon),
                new FeedForward(
                    builder.Linear($"{layer}.intermediate.dense", inner, hidden, bias: true),
                    activation,
                    builder.Linear($"{layer}.output.dense", hidden, inner, bias: true)));
        }

        LayerNorm after = builder.LayerNorm($"{root}layernorm", hidden, epsilon);
        return new VisionTransformer(geometry, hidden, embeddings, layers, after, BuildPooler(builder, root, hidden), BuildClassifier(builder, hidden));
    }

    private static Pooler? BuildPooler(ModuleBuilder builder, string root, int hidden)
    {
        string name = $"{root}pooler.dense";
        if (builder.FindLinear(name) is null)
        {
            return null;
        }

        int size = builder.Config.GetInt32("pooler_output_size", hidden, minimum: 1);
        return new Pooler(builder.Linear(name, size, hidden, bias: true), HiddenActivation.Read(builder.Config, "pooler_act", "tanh"));
    }

    private static Linear? BuildClassifier(ModuleBuilder builder, int hidden)
        => builder.HasHead("classifier", "ForImageClassification")
            ? builder.Linear("classifier", builder.Config.GetLabelCount(), hidden, bias: true)
            : null;
}
