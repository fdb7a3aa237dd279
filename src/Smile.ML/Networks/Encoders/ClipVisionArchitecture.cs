using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>Builds <see cref="ClipVision"/>. Absent config values take Hugging Face's defaults (those of ViT-B/32).</summary>
internal sealed class ClipVisionArchitecture : IArchitecture
{
    /// <summary>The type in config.json.</summary>
    public const string ModelType = "clip_vision_model";

    private const string Root = "vision_model";
    private const string Projection = "visual_projection";

    /// <summary>Gets the modules that such a model consists of, in a whole CLIP as alone.</summary>
    public static IReadOnlyList<string> Modules { get; } = [Root, Projection];

    public IReadOnlyList<string> ModelTypes { get; } = [ModelType];

    public CheckpointNames Names { get; } = new() { Frozen = new Dictionary<string, string> { [Projection] = "WithProjection" } };

    public Network Build(ModuleBuilder builder) => Build(builder, builder.Config);

    /// <summary>Builds the network with a configuration of its own, as a whole CLIP's vision half has it.</summary>
    public static ClipVision Build(ModuleBuilder builder, ModelConfig config)
    {
        int hidden = config.GetInt32("hidden_size", 768, minimum: 1);
        float epsilon = ClipModules.Epsilon(config);
        PatchGeometry geometry = config.GetPatchGeometry(defaultPatchSize: 32);
        var embeddings = new ImageEmbeddings(
            geometry,
            builder.Parameter($"{Root}.embeddings.class_embedding", hidden),
            builder.PatchConvolution($"{Root}.embeddings.patch_embedding", hidden, geometry, bias: false),
            builder.Parameter($"{Root}.embeddings.position_embedding.weight", geometry.Patches + 1, hidden));
        return new ClipVision(
            geometry,
            hidden,
            embeddings,
            builder.LayerNorm($"{Root}.pre_layrnorm", hidden, epsilon),
            ClipModules.Layers(builder, Root, config, hidden, defaultHeads: 12, defaultInner: 3072),
            builder.LayerNorm($"{Root}.post_layernorm", hidden, epsilon),
            ClipModules.Projection(builder, Projection, hidden));
    }
}
