using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>One pre-norm transformer block of CLIP: attention over all tokens, then a two-layer perceptron, each with a residual.</summary>
internal sealed class ClipEncoderLayer(
    int heads,
    LayerNorm norm1,
    Linear query,
    Linear key,
    Linear value,
    Linear output,
    LayerNorm norm2,
    Linear fc1,
    Activation activation,
    Linear fc2)
{
    private readonly Linear[] _projections = [query, key, value];

    /// <summary>Runs the block in place.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="hidden">[batch * tokens, hidden]; replaced by the block's output.</param>
    /// <param name="batch">Number of sequences.</param>
    public void Forward(ForwardPass pass, Tensor hidden, int batch)
    {
        using (Tensor normal = norm1.Forward(pass, hidden))
        using (Tensor mixed = Attend(pass, normal, batch))
        using (Tensor update = output.Forward(pass, mixed))
        {
            pass.Backend.Add(hidden, update);
        }

        using (Tensor normal = norm2.Forward(pass, hidden))
        using (Tensor inner = fc1.Forward(pass, normal))
        {
            pass.Backend.Activate(inner, activation);
            using Tensor update = fc2.Forward(pass, inner);
            pass.Backend.Add(hidden, update);
        }
    }

    private Tensor Attend(ForwardPass pass, Tensor normal, int batch)
    {
        Span<Tensor> projected = [null!, null!, null!];
        Linear.Forward(pass, normal, _projections, projected);
        using Tensor q = projected[0];
        using Tensor k = projected[1];
        using Tensor v = projected[2];
        int size = q.Columns / heads;
        var shape = new AttentionShape
        {
            Batch = batch,
            QueryTokens = q.Rows / batch,
            KeyTokens = q.Rows / batch,
            Heads = heads,
            KeyValueHeads = heads,
            HeadSize = size,
            Scale = 1f / MathF.Sqrt(size),
        };
        Tensor result = pass.Backend.Rent(q.Rows, q.Columns);
        pass.Backend.Attention(q, k, v, shape, result);
        return result;
    }
}
