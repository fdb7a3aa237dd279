namespace Smile.ML.Analysis;

/// <summary>How errors of the class token accumulate over a network's blocks, averaged over the tasks.</summary>
/// <param name="Smile">The routed model against each task's fine-tuned one.</param>
/// <param name="LowRank">
/// The plain low-rank approximation W_0 + D_k of each task against its fine-tuned model: what truncation loses, without any routing.
/// </param>
public sealed record ErrorAccumulation(IReadOnlyList<BlockError> Smile, IReadOnlyList<BlockError> LowRank);
