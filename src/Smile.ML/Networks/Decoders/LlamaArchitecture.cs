using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Decoders;

/// <summary>Builds <c>llama</c>: biases by <c>attention_bias</c> and <c>mlp_bias</c>, no window. Absent config values are LlamaConfig's.</summary>
internal sealed class LlamaArchitecture : IArchitecture
{
    private static readonly DecoderSizes Defaults = new(
        Vocabulary: 32000, Hidden: 4096, Inner: 11008, Layers: 32, Heads: 32, KeyValueHeads: 0, HeadSize: 128);

    public IReadOnlyList<string> ModelTypes { get; } = ["llama"];

    public CheckpointNames Names => DecoderFamily.Names;

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("LlamaForCausalLM", "LlamaModel");
        var sizes = DecoderSizes.Read(config, Defaults);
        bool attentionBias = config.GetBoolean("attention_bias", false);
        var family = new DecoderFamily
        {
            Sizes = sizes,
            QueryKeyValueBias = attentionBias,
            AttentionOutputBias = attentionBias,
            FeedForwardBias = config.GetBoolean("mlp_bias", false),
            Windows = new int[sizes.Layers],
        };
        return family.Build(builder);
    }
}
