using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>
/// Builds <see cref="ClipVision"/> from a <c>clip_vision_model</c>, or from the vision half of a <c>clip</c> checkpoint. Absent config
/// values take Hugging Face's defaults (those of ViT-B/32).
/// </summary>
internal sealed class ClipVisionArchitecture : IArchitecture
{
    private const string Root = "vision_model";

    public IReadOnlyList<string> ModelTypes { get; } = ["clip_vision_model", "clip"];

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = Architectures.BaseType(builder.Config) == "clip" ? builder.Config.GetSection("vision_config") : builder.Config;
        int hidden = config.GetInt32("hidden_size", 768, minimum: 1);
        int heads = config.GetHeads(hidden);
        int inner = config.GetInt32("intermediate_size", 3072, minimum: 1);
        int layerCount = config.GetInt32("num_hidden_layers", 12, minimum: 1);
        float epsilon = (float)config.GetDouble("layer_norm_eps", 1e-5, minimum: 0);
        PatchGeometry geometry = config.GetPatchGeometry(defaultPatchSize: 32);
        Activation activation = HiddenActivation.Read(config, "hidden_act", "quick_gelu");
        var layers = new PreNormLayer[layerCount];
        var embeddings = new ImageEmbeddings(
            geometry,
            builder.Parameter($"{Root}.embeddings.class_embedding", hidden),
            builder.PatchConvolution($"{Root}.embeddings.patch_embedding", hidden, geometry, bias: false),
            builder.Parameter($"{Root}.embeddings.position_embedding.weight", geometry.Patches + 1, hidden));
        LayerNorm before = builder.LayerNorm($"{Root}.pre_layrnorm", hidden, epsilon);
        for (int i = 0; i < layerCount; i++)
        {
            string layer = $"{Root}.encoder.layers.{i}";
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

        LayerNorm after = builder.LayerNorm($"{Root}.post_layernorm", hidden, epsilon);
        Linear? projection = null;
        if (builder.FindLinear("visual_projection") is not null)
        {
            int size = builder.Config.GetInt32("projection_dim", 512, minimum: 1);
            projection = builder.Linear("visual_projection", size, hidden, bias: false);
        }

        return new ClipVision(geometry, hidden, embeddings, before, layers, after, projection);
    }
}
