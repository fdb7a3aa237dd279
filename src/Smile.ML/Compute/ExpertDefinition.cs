namespace Smile.ML.Compute;

/// <summary>
/// One expert of a routed layer, as read from a checkpoint. Low-rank: u [outputs, rank] and svh [rank, inputs]. Dense: the weight
/// delta [outputs, inputs].
/// </summary>
internal sealed record ExpertDefinition
{
    /// <summary>Gets the rank; null for a dense expert; 0 for one that only has a bias delta.</summary>
    public required int? Rank { get; init; }

    /// <summary>Gets the rows of u (of the weight delta for a dense expert): one per output feature. Unused at rank 0.</summary>
    public RowReader? Up { get; init; }

    /// <summary>Gets the rows of svh: one per rank. Unused for a dense expert and at rank 0.</summary>
    public RowReader? Down { get; init; }

    /// <summary>Gets the bias delta, one per output feature, or null.</summary>
    public float[]? Bias { get; init; }

    /// <summary>
    /// Gets, where the first rows of svh are multiples of this expert's router rows, their factors (singular values): those rows'
    /// products are the router's, scaled, and need not be computed again. Empty where they are not.
    /// </summary>
    public float[] RouterScales { get; init; } = [];
}
