namespace Smile.ML.Networks;

/// <summary>The sequences that the rows of a matrix of tokens make up, one sequence after the other.</summary>
/// <param name="Count">Number of sequences.</param>
/// <param name="Length">Tokens of each sequence, padding included.</param>
/// <param name="Mask">[Count * Length], 0 for a padding token that no other token attends to; null where there is none.</param>
internal readonly record struct TokenBatch(int Count, int Length, byte[]? Mask = null)
{
    /// <summary>Gets the rows of the first token of every sequence.</summary>
    public int[] FirstRows()
    {
        var rows = new int[Count];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = i * Length;
        }

        return rows;
    }
}
