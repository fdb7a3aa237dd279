using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.Decoders;

/// <summary>Causal attention with rotary positions, fewer key/value heads than query heads, and a sliding window.</summary>
/// <param name="window">How many tokens a token sees, itself included; 0 for all before it.</param>
/// <param name="query">The query projection, [heads * head size] outputs.</param>
/// <param name="key">The key projection, [key/value heads * head size] outputs.</param>
/// <param name="value">The value projection, as the keys'.</param>
/// <param name="output">What the mixed values go through.</param>
internal sealed class DecoderAttention(int window, Linear query, Linear key, Linear value, Linear output)
{
    private readonly Linear[] _queryKeyValue = [query, key, value];

    /// <summary>Gets the features of a key, all heads together.</summary>
    public int KeySize => key.Outputs;

    /// <summary>Lets every token attend to itself and the tokens before it.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch * query tokens, hidden].</param>
    /// <param name="step">What the tokens are and which keys they see.</param>
    /// <param name="cache">The earlier tokens' keys and values, to which the new ones are added; null where there are no earlier ones.</param>
    /// <returns>[batch * query tokens, hidden]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor input, DecoderStep step, KeyValueCache? cache)
    {
        Span<Tensor> projected = [null!, null!, null!];
        Linear.Forward(pass, input, _queryKeyValue, projected);
        using Tensor q = projected[0];
        using Tensor k = projected[1];
        using Tensor v = projected[2];
        pass.Backend.Rotate(q, step.Angles);
        pass.Backend.Rotate(k, step.Angles);
        using Tensor mixed = pass.Backend.Rent(q.Rows, q.Columns);
        AttentionShape shape = step.Shape with { Window = window };
        if (cache is null)
        {
            pass.Backend.Attention(q, k, v, shape, mixed);
        }
        else
        {
            cache.Append(pass.Backend, k, v, step.Lengths.Span);
            pass.Backend.Attention(q, cache.Keys, cache.Values, shape with { KeyStride = cache.Capacity }, mixed);
        }

        return output.Forward(pass, mixed);
    }
}
