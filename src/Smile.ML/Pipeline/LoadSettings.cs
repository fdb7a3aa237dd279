using Smile.ML.Compute;

namespace Smile.ML;

/// <summary>What an application says about the pipelines that it loads.</summary>
/// <param name="Compute">Where they run; as the context says where null.</param>
/// <param name="WeightsRoot">The folder against which relative paths of weights are resolved; the current one where null.</param>
internal sealed record LoadSettings(ComputeOptions? Compute = null, string? WeightsRoot = null);
