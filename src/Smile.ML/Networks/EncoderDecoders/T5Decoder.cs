using Smile.ML.Compute;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>T5's decoder with its language-model head.</summary>
/// <param name="words">The embedding table.</param>
/// <param name="positions">The bias of its self-attention.</param>
/// <param name="layers">Its blocks.</param>
/// <param name="after">The norm behind them.</param>
/// <param name="outputScale">The factor on the head's input: the inverse root of the hidden size for a tied head, else 1.</param>
/// <param name="head">The head.</param>
internal sealed class T5Decoder(
    Embedding words, RelativePositionBias positions, IReadOnlyList<T5DecoderLayer> layers, RmsNorm after, float outputScale, Linear head)
{
    /// <summary>Gets the number of tokens to choose from.</summary>
    public int Vocabulary => head.Outputs;

    /// <summary>Takes the encoder's output in; the caller disposes the state.</summary>
    public T5DecoderState Start(ForwardPass pass, Tensor encoded, TokenBatch batch) => new(pass, layers, encoded, batch);

    /// <summary>Runs the decoder over new tokens, as many for every sequence.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="state">What came before; takes the new tokens in.</param>
    /// <param name="ids">[batch * new tokens].</param>
    /// <returns>Logits [batch * new tokens, vocabulary]; the caller disposes them.</returns>
    public Tensor Forward(ForwardPass pass, T5DecoderState state, ReadOnlySpan<int> ids)
    {
        var batch = new TokenBatch(state.MemoryBatch.Count, ids.Length / state.MemoryBatch.Count);
        using Tensor hidden = words.Forward(pass, ids);
        using Tensor bias = positions.Forward(pass, state.Length, batch.Length, state.Length + batch.Length);
        for (int i = 0; i < layers.Count; i++)
        {
            layers[i].Forward(pass, hidden, batch, state, i, bias);
        }

        state.Length += batch.Length;
        using Tensor normal = after.Forward(pass, hidden);
        if (outputScale != 1)
        {
            using Tensor scale = pass.Backend.Rent(1, normal.Columns);
            var factors = new float[normal.Columns];
            Array.Fill(factors, outputScale);
            pass.Backend.Upload(factors, scale);
            pass.Backend.MultiplyElements(normal, scale);
        }

        return head.Forward(pass, normal);
    }
}
