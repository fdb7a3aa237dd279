using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Encoders;

/// <summary>Builds <see cref="ClipText"/>. Absent config values take Hugging Face's defaults (those of ViT-B/32's text half).</summary>
internal sealed class ClipTextArchitecture : IArchitecture
{
    /// <summary>The type in config.json.</summary>
    public const string ModelType = "clip_text_model";

    private const string Root = "text_model";
    private const string Projection = "text_projection";

    /// <summary>Gets the modules that such a model consists of, in a whole CLIP as alone.</summary>
    public static IReadOnlyList<string> Modules { get; } = [Root, Projection];

    public IReadOnlyList<string> ModelTypes { get; } = [ModelType];

    public CheckpointNames Names { get; } = new() { Frozen = new Dictionary<string, string> { [Projection] = "WithProjection" } };

    public Network Build(ModuleBuilder builder) => Build(builder, builder.Config);

    /// <summary>Tells whether a checkpoint has a text half.</summary>
    public static bool IsIn(ModuleBuilder builder)
        => builder.FindLinear($"{Root}.encoder.layers.0.self_attn.q_proj") is not null;

    /// <summary>Builds the network with a configuration of its own, as a whole CLIP's text half has it.</summary>
    public static ClipText Build(ModuleBuilder builder, ModelConfig config)
    {
        int hidden = config.GetInt32("hidden_size", 512, minimum: 1);
        int vocabulary = config.GetInt32("vocab_size", 49408, minimum: 1);
        int positions = config.GetInt32("max_position_embeddings", 77, minimum: 1);
        return new ClipText(
            vocabulary,
            config.GetInt32("eos_token_id", 49407),
            hidden,
            new Embedding(builder.Parameter($"{Root}.embeddings.token_embedding.weight", vocabulary, hidden)),
            new Embedding(builder.Parameter($"{Root}.embeddings.position_embedding.weight", positions, hidden)),
            new PositionNumbering(null, positions),
            ClipModules.Layers(builder, Root, config, hidden, defaultHeads: 8, defaultInner: 2048),
            builder.LayerNorm($"{Root}.final_layer_norm", hidden, ClipModules.Epsilon(config)),
            ClipModules.Projection(builder, Projection, hidden));
    }
}
