using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Multi-head attention, bidirectional or causal: the projections of queries, keys and values, and the output projection.</summary>
/// <param name="heads">Number of heads; divides the query's output features.</param>
/// <param name="scale">The factor on the scores.</param>
/// <param name="query">The query projection.</param>
/// <param name="key">The key projection.</param>
/// <param name="value">The value projection.</param>
/// <param name="output">What the mixed values go through.</param>
internal sealed class MultiHeadAttention(int heads, float scale, Linear query, Linear key, Linear value, Linear output)
{
    private readonly Linear[] _queryKeyValue = [query, key, value];

    /// <summary>Creates attention with the usual scale, the inverse root of the head size.</summary>
    public MultiHeadAttention(int heads, Linear query, Linear key, Linear value, Linear output)
        : this(heads, 1f / MathF.Sqrt(query.Outputs / heads), query, key, value, output)
    {
    }

    /// <summary>Lets every token attend to the tokens of its own sequence.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch tokens, hidden].</param>
    /// <param name="batch">The sequences; masked tokens are not attended to.</param>
    /// <param name="causal">Whether a token attends to no later one.</param>
    /// <returns>[batch tokens, output features]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor input, TokenBatch batch, bool causal = false)
    {
        Span<Tensor> projected = [null!, null!, null!];
        Linear.Forward(pass, input, _queryKeyValue, projected);
        using Tensor q = projected[0];
        using Tensor k = projected[1];
        using Tensor v = projected[2];
        using Tensor mixed = pass.Backend.Rent(q.Rows, q.Columns);
        var shape = new AttentionShape
        {
            Batch = batch.Count,
            QueryTokens = batch.Length,
            KeyTokens = batch.Length,
            Heads = heads,
            KeyValueHeads = heads,
            HeadSize = q.Columns / heads,
            Scale = scale,
            Causal = causal,
            KeyMask = batch.Mask,
        };
        pass.Backend.Attention(q, k, v, shape, mixed);
        return output.Forward(pass, mixed);
    }
}
