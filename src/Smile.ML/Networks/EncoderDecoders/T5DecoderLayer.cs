using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>One block of T5's decoder, each part with a norm before it and a residual around it.</summary>
internal sealed class T5DecoderLayer(
    RmsNorm attentionNorm,
    MultiHeadAttention attention,
    RmsNorm crossNorm,
    MultiHeadAttention crossAttention,
    RmsNorm feedForwardNorm,
    FeedForward feedForward)
{
    /// <summary>Projects the encoder's output, which every step attends to.</summary>
    public KeysAndValues Project(ForwardPass pass, Tensor encoded) => crossAttention.Project(pass, encoded);

    /// <summary>Makes room for the keys and values of the decoder's own tokens.</summary>
    public KeyValueCache CreateCache(int batch) => new(batch, attention.KeyFeatures);

    /// <summary>Runs the block over new tokens, in place.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="hidden">[batch tokens, hidden]; replaced by the block's output.</param>
    /// <param name="batch">The new tokens.</param>
    /// <param name="state">What is known of the encoder's and of the earlier tokens; the new ones are appended to this layer's cache.</param>
    /// <param name="index">The layer's index in the state.</param>
    /// <param name="bias">The bias of the relative positions, [heads * new tokens, all tokens].</param>
    public void Forward(ForwardPass pass, Tensor hidden, TokenBatch batch, T5DecoderState state, int index, Tensor bias)
    {
        using (Tensor normal = attentionNorm.Forward(pass, hidden))
        using (Tensor update = attention.ForwardNext(pass, normal, batch, state.Caches[index], state.Length, bias))
        {
            pass.Backend.Add(hidden, update);
        }

        using (Tensor normal = crossNorm.Forward(pass, hidden))
        using (Tensor update = crossAttention.ForwardCross(pass, normal, batch, state.Memory[index], state.MemoryBatch))
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
