namespace Smile.ML.Networks.Encoders;

/// <summary>Numbers the tokens of sequences for a table of learned positions.</summary>
/// <param name="paddingId">
/// Null: tokens are numbered from 0, as in BERT. Else, as in RoBERTa, the padding token's id: a padding token has that position, the
/// others are numbered from the one after it, whatever the attention mask says.
/// </param>
/// <param name="count">The number of positions in the table.</param>
internal sealed class PositionNumbering(int? paddingId, int count)
{
    private readonly int _start = paddingId is { } id ? id + 1 : 0;

    /// <summary>Gets each token's position.</summary>
    /// <param name="ids">[batch tokens].</param>
    /// <param name="batch">The sequences.</param>
    /// <exception cref="SmileException">A sequence has more tokens than there are positions.</exception>
    public int[] Of(ReadOnlySpan<int> ids, TokenBatch batch)
    {
        var positions = new int[ids.Length];
        for (int sequence = 0; sequence < batch.Count; sequence++)
        {
            int next = _start;
            for (int i = sequence * batch.Length; i < (sequence + 1) * batch.Length; i++)
            {
                positions[i] = ids[i] == paddingId ? ids[i] : next++;
            }

            if (next > count)
            {
                throw new SmileException(
                    $"Input input_ids has {next - _start} tokens in sequence {sequence}; expected at most {count - _start} (max_position_embeddings is {count}).");
            }
        }

        return positions;
    }
}
