using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.DependencyInjection;

/// <summary>What a request is answered with.</summary>
/// <param name="Outputs">The model's outputs for its rows.</param>
/// <param name="Heads">The heads that were loaded with that model.</param>
internal sealed record PredictionResult(IReadOnlyDictionary<string, HostTensor> Outputs, IReadOnlyList<TaskHead> Heads);
