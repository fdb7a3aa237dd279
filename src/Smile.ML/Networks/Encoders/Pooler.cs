using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>A dense layer and a nonlinearity over one token of each sequence.</summary>
internal sealed class Pooler(Linear dense, Activation activation = Activation.Tanh)
{
    /// <summary>Gets the output features.</summary>
    public int Outputs => dense.Outputs;

    /// <summary>Computes the layer; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, Tensor tokens)
    {
        Tensor result = dense.Forward(pass, tokens);
        pass.Backend.Activate(result, activation);
        return result;
    }
}
