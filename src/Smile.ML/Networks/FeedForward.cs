using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>The perceptron of a transformer block: outer(f(inner(x))), or, with a second inner layer, outer(f(inner(x)) * linear(x)).</summary>
internal sealed class FeedForward(Linear inner, Activation activation, Linear outer, Linear? linear = null)
{
    private readonly Linear[] _inner = linear is null ? [inner] : [inner, linear];

    /// <summary>Computes the perceptron; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Span<Tensor> projected = new Tensor[_inner.Length];
        Linear.Forward(pass, input, _inner, projected);
        using Tensor hidden = projected[0];
        pass.Backend.Activate(hidden, activation);
        if (projected.Length > 1)
        {
            using Tensor factor = projected[1];
            pass.Backend.MultiplyElements(hidden, factor);
        }

        return outer.Forward(pass, hidden);
    }
}
