namespace Smile.ML.DependencyInjection;

/// <summary>What a model and its classifiers make of one sample.</summary>
/// <param name="Embedding">The model's first output.</param>
/// <param name="Tasks">The predictions by task.</param>
public sealed record SmileClassification(IReadOnlyList<float> Embedding, IReadOnlyDictionary<string, TaskPrediction> Tasks);
