namespace Smile.ML.DependencyInjection;

/// <summary>What one task's classifier, a head or the network itself, makes of a sample.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Label">The likeliest class; of several, the first.</param>
/// <param name="Probabilities">One per class, in the order of <paramref name="ClassNames"/>: the softmax of the logits.</param>
/// <param name="ClassNames">The classes' names.</param>
public sealed record TaskPrediction(string Task, string Label, IReadOnlyList<float> Probabilities, IReadOnlyList<string> ClassNames);
