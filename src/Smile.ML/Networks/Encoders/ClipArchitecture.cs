using System.Text.Json.Nodes;
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

    public ModelPart? FindPart(ModelConfig config, string modelType)
    {
        return modelType switch
        {
            ClipVisionArchitecture.ModelType => Part("vision_config", "CLIPVisionModelWithProjection", ClipVisionArchitecture.Modules),
            ClipTextArchitecture.ModelType => Part("text_config", "CLIPTextModelWithProjection", ClipTextArchitecture.Modules),
            _ => null,
        };

        ModelPart Part(string section, string className, IReadOnlyList<string> modules)
            => new(
                config.GetSection(section).With(new Dictionary<string, JsonNode?>
                {
                    ["model_type"] = modelType,
                    ["architectures"] = new JsonArray(className),
                    ["projection_dim"] = ClipModules.ProjectionSize(config),
                }),
                modules);
    }
}
