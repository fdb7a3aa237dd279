namespace Smile.ML.DependencyInjection;

/// <summary>Remembers that a model was registered, for <see cref="ISmilePredictorFactory.Names"/>.</summary>
/// <param name="Name">The model's name.</param>
internal sealed record SmilePredictorRegistration(string Name);
