using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Encoders;

/// <summary>Builds <see cref="Clip"/>, or <see cref="ClipVision"/> alone where the checkpoint holds no text half.</summary>
internal sealed class ClipArchitecture : IArchitecture
{
    public IReadOnlyList<string> ModelTypes { get; } = ["clip"];

    public Network Build(ModuleBuilder builder)
    {
        ModelConfig config = builder.Config;
        ClipVision vision = ClipVisionArchitecture.Build(builder, config.GetSection("vision_config"));
        return ClipTextArchitecture.IsIn(builder)
            ? new Clip(vision, ClipTextArchitecture.Build(builder, config.GetSection("text_config")))
            : vision;
    }
}
