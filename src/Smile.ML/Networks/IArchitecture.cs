namespace Smile.ML.Networks;

/// <summary>A family of networks, registered by the <c>model_type</c> of its config.json.</summary>
internal interface IArchitecture
{
    /// <summary>Gets the <c>model_type</c>s that it builds.</summary>
    IReadOnlyList<string> ModelTypes { get; }

    /// <summary>Gets how its checkpoints differ in the names of their tensors.</summary>
    CheckpointNames Names => CheckpointNames.Uniform;

    /// <summary>
    /// Builds the network from named modules. The same code declares a checkpoint's linear layers (with a builder that only records)
    /// and loads them (with a builder that reads weights).
    /// </summary>
    /// <param name="builder">Gives the config and the modules.</param>
    /// <exception cref="SmileException">The config holds a value that is missing or unsupported, or a tensor isn't as expected.</exception>
    Network Build(ModuleBuilder builder);
}
