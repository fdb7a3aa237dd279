namespace Smile.ML.Compute;

/// <summary>
/// The sizes and masks of one attention call. Queries are [Batch * QueryTokens, Heads * HeadSize]; keys and values
/// [Batch * KeyTokens, KeyValueHeads * HeadSize], every key/value head serving Heads / KeyValueHeads query heads.
/// </summary>
internal readonly record struct AttentionShape
{
    /// <summary>Gets the number of sequences.</summary>
    public required int Batch { get; init; }

    /// <summary>Gets the number of query tokens of each sequence.</summary>
    public required int QueryTokens { get; init; }

    /// <summary>Gets the number of key tokens of each sequence, of the longest one where <see cref="KeyCounts"/> are given.</summary>
    public required int KeyTokens { get; init; }

    /// <summary>Gets the number of key tokens of each sequence where they differ, or null.</summary>
    public int[]? KeyCounts { get; init; }

    /// <summary>
    /// Gets the rows from one sequence's keys and values to the next one's, at least KeyTokens; 0 for KeyTokens. More where they stand
    /// in a cache with room to grow.
    /// </summary>
    public int KeyStride { get; init; }

    /// <summary>Gets the number of query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Gets the number of key and value heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Gets the features of one head.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Gets the factor on the scores before softmax.</summary>
    public required float Scale { get; init; }

    /// <summary>
    /// Gets a value indicating whether a query sees no later key. The last query stands at the last key: query i sees key j when
    /// j &lt;= i + the sequence's key tokens - QueryTokens.
    /// </summary>
    public bool Causal { get; init; }

    /// <summary>Gets how many keys a causal query sees, itself included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Gets an additive bias [Heads * QueryTokens, KeyTokens], the same for every sequence, or null.</summary>
    public Tensor? Bias { get; init; }

    /// <summary>Gets which keys may be seen, [Batch * KeyTokens], 0 for a masked one; or null where all may.</summary>
    public byte[]? KeyMask { get; init; }
}
