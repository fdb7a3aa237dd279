using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>A family of networks, registered by the <c>model_type</c> of its config.json.</summary>
internal interface IArchitecture
{
    /// <summary>Gets the <c>model_type</c>s that it builds.</summary>
    IReadOnlyList<string> ModelTypes { get; }

    /// <summary>Gets how its checkpoints differ in the names of their tensors.</summary>
    CheckpointNames Names => CheckpointNames.Uniform;

    /// <summary>Gets the part of a whole model that models of another type are fine-tuned from; null where there is none.</summary>
    /// <param name="config">The whole model's config.</param>
    /// <param name="modelType">The other type.</param>
    /// <exception cref="SmileException">The config doesn't describe the part.</exception>
    ModelPart? FindPart(ModelConfig config, string modelType) => null;

    /// <summary>
    /// Builds the network from named modules. The same code declares a checkpoint's linear layers (with a builder that only records)
    /// and loads them (with a builder that reads weights).
    /// </summary>
    /// <param name="builder">Gives the config and the modules.</param>
    /// <exception cref="SmileException">The config holds a value that is missing or unsupported, or a tensor isn't as expected.</exception>
    Network Build(ModuleBuilder builder);
}
