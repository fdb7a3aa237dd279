using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.Decoders;

/// <summary>One pre-norm block of a decoder: attention, then a gated perceptron, each with a residual.</summary>
internal sealed class DecoderLayer(RmsNorm norm1, DecoderAttention attention, RmsNorm norm2, FeedForward feedForward)
{
    /// <summary>Gets the features of a key, all heads together.</summary>
    public int KeySize => attention.KeySize;

    /// <summary>Runs the block in place.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="hidden">[batch * tokens, hidden]; replaced by the block's output.</param>
    /// <param name="step">What the tokens are.</param>
    /// <param name="cache">The block's keys and values of earlier tokens, or null.</param>
    public void Forward(ForwardPass pass, Tensor hidden, DecoderStep step, KeyValueCache? cache)
    {
        using (Tensor normal = norm1.Forward(pass, hidden))
        using (Tensor update = attention.Forward(pass, normal, step, cache))
        {
            pass.Backend.Add(hidden, update);
        }

        using (Tensor normal = norm2.Forward(pass, hidden))
        using (Tensor update = feedForward.Forward(pass, normal))
        {
            pass.Backend.Add(hidden, update);
        }
    }
}
