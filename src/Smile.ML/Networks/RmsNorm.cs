using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Root-mean-square normalisation with gain (arXiv 1910.07467).</summary>
internal sealed class RmsNorm(Tensor gain, float epsilon)
{
    /// <summary>Normalises each row into a new matrix.</summary>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Tensor result = pass.Backend.Rent(input.Rows, input.Columns);
        pass.Backend.RmsNorm(input, gain, epsilon, result);
        return result;
    }
}
