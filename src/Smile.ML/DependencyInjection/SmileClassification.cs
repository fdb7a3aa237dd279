namespace Smile.ML.DependencyInjection;

/// <summary>What a model and its task heads make of one sample.</summary>
/// <param name="Embedding">The model's first output.</param>
/// <param name="Tasks">The heads' predictions by task.</param>
public sealed record SmileClassification(IReadOnlyList<float> Embedding, IReadOnlyDictionary<string, TaskPrediction> Tasks);
