using Smile.ML.Compute;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>One block of T5's encoder, each part with a norm before it and a residual around it.</summary>
internal sealed class T5EncoderLayer(RmsNorm attentionNorm, MultiHeadAttention attention, RmsNorm feedForwardNorm, FeedForward feedForward)
{
    /// <summary>Runs the block in place.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="hidden">[batch tokens, hidden]; replaced by the block's output.</param>
    /// <param name="batch">The sequences.</param>
    /// <param name="bias">The bias of the relative positions, [heads * tokens, tokens].</param>
    public void Forward(ForwardPass pass, Tensor hidden, TokenBatch batch, Tensor bias)
    {
        using (Tensor normal = attentionNorm.Forward(pass, hidden))
        using (Tensor update = attention.Forward(pass, normal, batch, bias: bias))
        {
            pass.Backend.Add(hidden, update);
        }

        using (Tensor normal = feedForwardNorm.Forward(pass, hidden))
        using (Tensor update = feedForward.Forward(pass, normal))
        {
            pass.Backend.Add(hidden, update);
        }
    }
}
