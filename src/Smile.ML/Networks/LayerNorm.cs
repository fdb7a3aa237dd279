using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Layer normalisation with gain and bias.</summary>
internal sealed class LayerNorm(Tensor gain, Tensor bias, float epsilon)
{
    /// <summary>Normalises each row into a new matrix.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Tensor result = pass.Backend.Rent(input.Rows, input.Columns);
        pass.Backend.LayerNorm(input, gain, bias, epsilon, result);
        return result;
    }
}
