using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks;

/// <summary>Multi-head attention: the projections of queries, keys and values, and the output projection.</summary>
/// <param name="heads">Number of heads; divides the query's output features.</param>
/// <param name="scale">The factor on the scores.</param>
/// <param name="query">The query projection.</param>
/// <param name="key">The key projection.</param>
/// <param name="value">The value projection.</param>
/// <param name="output">What the mixed values go through.</param>
internal sealed class MultiHeadAttention(int heads, float scale, Linear query, Linear key, Linear value, Linear output)
{
    private readonly Linear[] _queryKeyValue = [query, key, value];
    private readonly Linear[] _keyValue = [key, value];

    /// <summary>Creates attention with the usual scale, the inverse root of the head size.</summary>
    public MultiHeadAttention(int heads, Linear query, Linear key, Linear value, Linear output)
        : this(heads, 1f / MathF.Sqrt(query.Outputs / heads), query, key, value, output)
    {
    }

    /// <summary>Gets the features of a key, all heads together.</summary>
    public int KeyFeatures => key.Outputs;

    /// <summary>Lets every token attend to the tokens of its own sequence.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch tokens, hidden].</param>
    /// <param name="batch">The sequences; masked tokens are not attended to.</param>
    /// <param name="causal">Whether a token attends to no later one.</param>
    /// <param name="bias">Added to the scores, [heads * tokens, tokens]; or null.</param>
    /// <returns>[batch tokens, output features]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor input, TokenBatch batch, bool causal = false, Tensor? bias = null)
    {
        Span<Tensor> projected = [null!, null!, null!];
        Linear.Forward(pass, input, _queryKeyValue, projected);
        using Tensor q = projected[0];
        using Tensor k = projected[1];
        using Tensor v = projected[2];
        return Mix(pass, q, k, v, Shape(batch, batch.Length) with { Causal = causal, Bias = bias, KeyMask = batch.Mask });
    }

    /// <summary>Lets every new token attend to the earlier tokens of its sequence, which are in a cache, and to the new ones up to itself.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch tokens, hidden].</param>
    /// <param name="batch">The new tokens, as many for every sequence.</param>
    /// <param name="cache">The earlier tokens; the new ones are appended.</param>
    /// <param name="length">The number of earlier tokens of each sequence.</param>
    /// <param name="bias">Added to the scores, [heads * new tokens, all tokens].</param>
    /// <returns>[batch tokens, output features]; the caller disposes it.</returns>
    public Tensor ForwardNext(ForwardPass pass, Tensor input, TokenBatch batch, KeyValueCache cache, int length, Tensor bias)
    {
        Span<Tensor> projected = [null!, null!, null!];
        Linear.Forward(pass, input, _queryKeyValue, projected);
        using Tensor q = projected[0];
        using (Tensor k = projected[1])
        using (Tensor v = projected[2])
        {
            Span<int> lengths = new int[batch.Count];
            lengths.Fill(length);
            cache.Append(pass.Backend, k, v, lengths);
        }

        AttentionShape shape = Shape(batch, length + batch.Length) with { KeyStride = cache.Capacity, Causal = true, Bias = bias };
        return Mix(pass, q, cache.Keys, cache.Values, shape);
    }

    /// <summary>Computes keys and values of the tokens that other sequences will attend to.</summary>
    public KeysAndValues Project(ForwardPass pass, Tensor memory)
    {
        Span<Tensor> projected = [null!, null!];
        Linear.Forward(pass, memory, _keyValue, projected);
        return new KeysAndValues(projected[0], projected[1]);
    }

    /// <summary>Lets every token attend to the tokens of another sequence.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch tokens, hidden].</param>
    /// <param name="batch">The sequences that attend.</param>
    /// <param name="memory">Keys and values of those that are attended to.</param>
    /// <param name="memoryBatch">Their lengths; masked tokens are not attended to.</param>
    /// <returns>[batch tokens, output features]; the caller disposes it.</returns>
    public Tensor ForwardCross(ForwardPass pass, Tensor input, TokenBatch batch, KeysAndValues memory, TokenBatch memoryBatch)
    {
        using Tensor q = query.Forward(pass, input);
        return Mix(pass, q, memory.Keys, memory.Values, Shape(batch, memoryBatch.Length) with { KeyMask = memoryBatch.Mask });
    }

    private AttentionShape Shape(TokenBatch queries, int keyTokens) => new()
    {
        Batch = queries.Count,
        QueryTokens = queries.Length,
        KeyTokens = keyTokens,
        Heads = heads,
        KeyValueHeads = heads,
        HeadSize = query.Outputs / heads,
        Scale = scale,
    };

    private Tensor Mix(ForwardPass pass, Tensor q, Tensor k, Tensor v, in AttentionShape shape)
    {
        using Tensor mixed = pass.Backend.Rent(q.Rows, q.Columns);
        pass.Backend.Attention(q, k, v, shape, mixed);
        return output.Forward(pass, mixed);
    }
}
