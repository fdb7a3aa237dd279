using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>A transformer block that normalises the sums after attention and after the perceptron, as in BERT.</summary>
internal sealed class PostNormLayer(MultiHeadAttention attention, LayerNorm attentionNorm, FeedForward feedForward, LayerNorm feedForwardNorm)
{
    /// <summary>Runs the block.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[batch tokens, hidden].</param>
    /// <param name="batch">The sequences.</param>
    /// <returns>[batch tokens, hidden]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor input, TokenBatch batch)
    {
        using Tensor mixed = attention.Forward(pass, input, batch);
        pass.Backend.Add(mixed, input);
        using Tensor attended = attentionNorm.Forward(pass, mixed);
        using Tensor update = feedForward.Forward(pass, attended);
        pass.Backend.Add(update, attended);
        Tensor result = feedForwardNorm.Forward(pass, update);
        pass.Activations?.OnBlockOutput(pass.Backend, result, batch.Count);
        return result;
    }
}
