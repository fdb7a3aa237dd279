using Smile.ML.Compute;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>T5's encoder.</summary>
internal sealed class T5Encoder(Embedding words, RelativePositionBias positions, IReadOnlyList<T5EncoderLayer> layers, RmsNorm after)
{
    /// <summary>Encodes sequences: [batch tokens, hidden]; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, ReadOnlySpan<int> ids, TokenBatch batch)
    {
        using Tensor hidden = words.Forward(pass, ids);
        using Tensor bias = positions.Forward(pass, firstQuery: 0, batch.Length, batch.Length);
        foreach (T5EncoderLayer layer in layers)
        {
            layer.Forward(pass, hidden, batch, bias);
        }

        return after.Forward(pass, hidden);
    }
}
