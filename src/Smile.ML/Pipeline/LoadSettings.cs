using Smile.ML.Compute;

namespace Smile.ML;

/// <summary>What an application says about the pipelines that it loads.</summary>
/// <param name="Compute">Where they run; as the context says where null.</param>
/// <param name="WeightsRoot">The only folder that weights outside of the file may be in, from which their paths are seen; any on this machine where null.</param>
internal sealed record LoadSettings(ComputeOptions? Compute = null, string? WeightsRoot = null);
