using Smile.ML.Checkpoints;

namespace Smile.ML.DependencyInjection;

/// <summary>What a request is answered with.</summary>
/// <param name="Outputs">The model's outputs for its rows.</param>
/// <param name="Tasks">What that model classifies.</param>
internal sealed record PredictionResult(IReadOnlyDictionary<string, HostTensor> Outputs, IReadOnlyList<ServedTask> Tasks);
