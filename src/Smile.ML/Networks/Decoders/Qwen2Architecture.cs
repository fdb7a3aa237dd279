using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Decoders;

/// <summary>
/// Builds <c>qwen2</c>: biases on query, key and value; a sliding window only where <c>use_sliding_window</c> is true, and then in the
/// blocks that <c>layer_types</c> lists as <c>sliding_attention</c>, without the list in those from <c>max_window_layers</c> on.
/// Absent config values are Qwen2Config's.
/// </summary>
internal sealed class Qwen2Architecture : IArchitecture
{
    private const string Full = "full_attention";
    private const string Sliding = "sliding_attention";

    private static readonly DecoderSizes Defaults = new(
        Vocabulary: 151936, Hidden: 4096, Inner: 22016, Layers: 32, Heads: 32, KeyValueHeads: 32, HeadSize: 128);

    public IReadOnlyList<string> ModelTypes { get; } = ["qwen2"];

    public CheckpointNames Names => DecoderFamily.Names;

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        config.RequireArchitecture("Qwen2ForCausalLM", "Qwen2Model");
        var sizes = DecoderSizes.Read(config, Defaults);
        var family = new DecoderFamily { Sizes = sizes, QueryKeyValueBias = true, Windows = ReadWindows(config, sizes.Layers) };
        return family.Build(builder);
    }

    private static int[] ReadWindows(ModelConfig config, int layers)
    {
        if (!config.GetBoolean("use_sliding_window", false) || config.IsNull("sliding_window"))
        {
            return new int[layers];
        }

        int window = config.GetInt32("sliding_window", 4096, minimum: 1);
        return [.. ReadLayerTypes(config, layers).Select(type => type == Sliding ? window : 0)];
    }

    private static IReadOnlyList<string> ReadLayerTypes(ModelConfig config, int layers)
    {
        int firstSliding = config.GetInt32("max_window_layers", 28, minimum: 0);
        IReadOnlyList<string> types = config.GetStringList(
            "layer_types", [.. Enumerable.Range(0, layers).Select(layer => layer >= firstSliding ? Sliding : Full)]);
        if (types.Count != layers)
        {
            throw new SmileException($"{config.Location}: layer_types has {types.Count} entries; expected {layers}, as num_hidden_layers says.");
        }

        return types.FirstOrDefault(type => type is not (Full or Sliding)) is { } unknown
            ? throw new SmileException($"{config.Location}: layer_types has \"{ErrorText.Clip(unknown)}\"; supported: {Full}, {Sliding}.")
            : types;
    }
}
