namespace Smile.ML.Networks.Generation;

/// <summary>A token that was added to a sequence.</summary>
/// <param name="Sequence">Index of the sequence in the batch.</param>
/// <param name="Position">Index among the sequence's new tokens.</param>
/// <param name="Id">The token's id.</param>
/// <param name="IsLast">Whether the sequence ends with it.</param>
public readonly record struct GeneratedToken(int Sequence, int Position, int Id, bool IsLast);
