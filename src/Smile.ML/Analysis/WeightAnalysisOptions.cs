namespace Smile.ML.Analysis;

/// <summary>What to analyse of a pool's weights.</summary>
public sealed record WeightAnalysisOptions
{
    /// <summary>Gets the rank to which deltas are cut for their cosines [k]. 32 by default.</summary>
    public int ExpertRank { get; init; } = 32;

    /// <summary>Gets the rank of the router subspaces [k_gate]. 16 by default.</summary>
    public int RouterRank { get; init; } = 16;

    /// <summary>Gets how many singular values of each delta to compute. 64 by default.</summary>
    public int SpectrumRank { get; init; } = 64;

    /// <summary>Gets a value indicating whether to decompose the pretrained weights too, for the zones: a full SVD of each.</summary>
    public bool Zones { get; init; } = true;

    /// <summary>Gets the threads to work with, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; init; }
}
