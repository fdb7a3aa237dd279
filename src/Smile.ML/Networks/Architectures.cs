using Smile.ML.Checkpoints;
using Smile.ML.Networks.Decoders;
using Smile.ML.Networks.EncoderDecoders;
using Smile.ML.Networks.Encoders;

namespace Smile.ML.Networks;

/// <summary>The registry of architectures. A new one is a file of its own and a line here.</summary>
internal static class Architectures
{
    /// <summary>What a fused model's <c>model_type</c> starts with; the base's type follows.</summary>
    public const string FusedPrefix = "smile_";

    private static readonly IArchitecture[] All =
    [
        new BertArchitecture(),
        new ClipArchitecture(),
        new ClipTextArchitecture(),
        new ClipVisionArchitecture(),
        new MultiLayerPerceptronArchitecture(),
        new MistralArchitecture(),
        new LlamaArchitecture(),
        new Qwen2Architecture(),
        new RobertaArchitecture(),
        new T5Architecture(),
        new VisionTransformerArchitecture(),
    ];

    /// <summary>Finds the architecture that a config asks for; a fused model's is its base's.</summary>
    /// <exception cref="SmileException">No architecture is registered for the config's <c>model_type</c>.</exception>
    public static IArchitecture Find(ModelConfig config)
        => TryFind(config)
            ?? throw new SmileException(
                $"{config.Location}: model_type is \"{ErrorText.Clip(BaseType(config))}\"; supported: {string.Join(", ", All.SelectMany(a => a.ModelTypes).Order(StringComparer.Ordinal))}.");

    /// <summary>Finds the architecture that a config asks for; null where none is registered.</summary>
    public static IArchitecture? TryFind(ModelConfig config)
    {
        string type = BaseType(config);
        return All.FirstOrDefault(architecture => architecture.ModelTypes.Contains(type));
    }

    /// <summary>Gets the <c>model_type</c> without the mark of a fused model.</summary>
    public static string BaseType(ModelConfig config)
        => config.ModelType.StartsWith(FusedPrefix, StringComparison.Ordinal) ? config.ModelType[FusedPrefix.Length..] : config.ModelType;

    /// <summary>Tells whether a config is a fused model's.</summary>
    public static bool IsFused(ModelConfig config) => config.ModelType.StartsWith(FusedPrefix, StringComparison.Ordinal);
}
