namespace Smile.ML.Analysis;

/// <summary>One linear layer of a checkpoint.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Outputs">Output features.</param>
/// <param name="Inputs">Input features.</param>
/// <param name="ExpertRanks">
/// For a routed layer, each expert's rank: null for a dense one, 0 for one that left the weight alone. Null for a plain layer.
/// </param>
public sealed record LayerSummary(string Name, long Outputs, long Inputs, IReadOnlyList<long?>? ExpertRanks);
