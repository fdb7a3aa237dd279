using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Decoders;

/// <summary>Builds <c>mistral</c>: no biases, one sliding window for all blocks. Absent config values are MistralConfig's (Mistral-7B's).</summary>
internal sealed class MistralArchitecture : IArchitecture
{
    private static readonly DecoderSizes Defaults = new(
        Vocabulary: 32000, Hidden: 4096, Inner: 14336, Layers: 32, Heads: 32, KeyValueHeads: 8, HeadSize: 128);

    public IReadOnlyList<string> ModelTypes { get; } = ["mistral"];

    public CheckpointNames Names => DecoderFamily.Names;

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("MistralForCausalLM", "MistralModel");
        var sizes = DecoderSizes.Read(config, Defaults);

        // Null turns the window off (Mistral-7B v0.2 and later); without the key there is one.
        int window = config.IsNull("sliding_window") ? 0 : config.GetInt32("sliding_window", 4096, minimum: 1);
        return new DecoderFamily { Sizes = sizes, Windows = [.. Enumerable.Repeat(window, sizes.Layers)] }.Build(builder);
    }
}
