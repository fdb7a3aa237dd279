using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// Builds <see cref="VisionTransformer"/> from a <c>vit</c> checkpoint, with or without the prefix <c>vit.</c> Absent config values take
/// Hugging Face's defaults (those of ViT-B/16).
/// </summary>
internal sealed class VisionTransformerArchitecture : IArchitecture
{
    private const string Classifier = "classifier";

    public IReadOnlyList<string> ModelTypes { get; } = ["vit"];

    public CheckpointNames Names { get; } = new()
    {
        Prefix = "vit.",
        Heads = ["vit.pooler", Classifier],
        Unused = ["decoder.*", "embeddings.mask_token"],
    };

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("ViTForImageClassification", "ViTModel", "ViTForMaskedImageModeling");
        int hidden = config.GetInt32("hidden_size", 768, minimum: 1);
        int heads = config.GetHeads(hidden);
        int inner = config.GetInt32("intermediate_size", 3072, minimum: 1);
        float epsilon = config.GetEpsilon("layer_norm_eps", 1e-12);
        bool bias = config.GetBoolean("qkv_bias", true);
        PatchGeometry geometry = config.GetPatchGeometry(defaultPatchSize: 16);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "gelu");

        string root = builder.FindLinear("encoder.layer.0.attention.attention.query") is null ? Names.Prefix : string.Empty;
        var embeddings = new ImageEmbeddings(
            geometry,
            builder.Parameter($"{root}embeddings.cls_token", 1, 1, hidden),
            builder.PatchConvolution($"{root}embeddings.patch_embeddings.projection", hidden, geometry, bias: true),
            builder.Parameter($"{root}embeddings.position_embeddings", 1, geometry.Patches + 1, hidden));
        var layers = new PreNormLayer[config.GetLayerCount("num_hidden_layers", 12)];
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
        var sequenceHeads = SequenceHeads.Build(
            builder, owner => BuildPooler(owner, $"{root}pooler.dense", hidden), owner => BuildClassifier(owner, hidden));
        return new VisionTransformer(geometry, hidden, embeddings, layers, after, sequenceHeads);
    }

    private static Pooler? BuildPooler(ModuleBuilder owner, string name, int hidden)
    {
        if (!owner.HasHead(name))
        {
            return null;
        }

        int size = owner.Config.GetInt32("pooler_output_size", hidden, minimum: 1);
        return new Pooler(owner.Linear(name, size, hidden, bias: true), HiddenActivation.Read(owner.Config, "pooler_act", "tanh"));
    }

    private static SequenceClassifier? BuildClassifier(ModuleBuilder owner, int hidden)
        => owner.HasHead(Classifier, "ForImageClassification")
            ? new SequenceClassifier(null, owner.Linear(Classifier, owner.GetLabelCount(Classifier), hidden, bias: true))
            : null;
}
