using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>A part of a whole model that is a model of another type by itself: CLIP's vision half, say.</summary>
/// <param name="Config">The config of such a model.</param>
/// <param name="Modules">The modules of the whole that belong to it.</param>
internal sealed record ModelPart(ModelConfig Config, IReadOnlyList<string> Modules)
{
    /// <summary>Tells whether a tensor of the whole belongs to the part.</summary>
    public bool Holds(string tensor) => Modules.Any(module => CheckpointNames.Holds(module, tensor));
}
