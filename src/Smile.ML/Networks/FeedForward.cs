using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>
/// The perceptron of a transformer block: outer(f(inner(x))), or, gated (arXiv 2002.05202), outer(f(inner(x)) * factor(x)).
/// </summary>
internal sealed class FeedForward(Linear inner, Activation activation, Linear outer, Linear? factor = null)
{
    private readonly Linear[] _inner = factor is null ? [inner] : [inner, factor];

    /// <summary>Computes the perceptron; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Span<Tensor> projected = new Tensor[_inner.Length];
        Linear.Forward(pass, input, _inner, projected);
        using Tensor hidden = projected[0];
        pass.Backend.Activate(hidden, activation);
        if (projected.Length > 1)
        {
            using Tensor factors = projected[1];
            pass.Backend.MultiplyElements(hidden, factors);
        }

        return outer.Forward(pass, hidden);
    }
}
