using Smile.ML.Compute;

namespace Smile.ML.Networks.Decoders;

/// <summary>The gated perceptron of a decoder block (arXiv 2002.05202): down(f(gate(x)) * up(x)).</summary>
internal sealed class GatedFeedForward(Linear gate, Activation activation, Linear up, Linear down)
{
    private readonly Linear[] _gateAndUp = [gate, up];

    /// <summary>Computes the perceptron; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Span<Tensor> projected = [null!, null!];
        Linear.Forward(pass, input, _gateAndUp, projected);
        using Tensor gated = projected[0];
        using Tensor inner = projected[1];
        pass.Backend.Activate(gated, activation);
        pass.Backend.MultiplyElements(gated, inner);
        return down.Forward(pass, gated);
    }
}
