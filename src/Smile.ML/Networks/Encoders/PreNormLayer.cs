using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>A transformer block that normalises before attention and before the perceptron, as in CLIP and ViT.</summary>
internal sealed class PreNormLayer(LayerNorm attentionNorm, MultiHeadAttention attention, LayerNorm feedForwardNorm, FeedForward feedForward)
{
    /// <summary>Runs the block in place.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="hidden">[batch tokens, hidden]; replaced by the block's output.</param>
    /// <param name="batch">The sequences.</param>
    /// <param name="causal">Whether a token attends to no later one.</param>
    public void Forward(ForwardPass pass, Tensor hidden, TokenBatch batch, bool causal = false)
    {
        using (Tensor normal = attentionNorm.Forward(pass, hidden))
        using (Tensor update = attention.Forward(pass, normal, batch, causal))
        {
            pass.Backend.Add(hidden, update);
        }

        using (Tensor normal = feedForwardNorm.Forward(pass, hidden))
        using (Tensor update = feedForward.Forward(pass, normal))
        {
            pass.Backend.Add(hidden, update);
        }

        pass.Activations?.OnBlockOutput(pass.Backend, hidden, batch.Count);
    }
}
