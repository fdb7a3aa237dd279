using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>The perceptron of a transformer block: outer(f(inner(x))).</summary>
internal sealed class FeedForward(Linear inner, Activation activation, Linear outer)
{
    /// <summary>Computes the perceptron; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        using Tensor hidden = inner.Forward(pass, input);
        pass.Backend.Activate(hidden, activation);
        return outer.Forward(pass, hidden);
    }
}
