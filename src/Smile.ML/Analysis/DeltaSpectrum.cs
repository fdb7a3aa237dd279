namespace Smile.ML.Analysis;

/// <summary>The singular values of what one expert added to one layer, D = W_e - W_0.</summary>
/// <param name="Expert">The expert's name.</param>
/// <param name="SingularValues">The leading ones, largest first; none for a zero delta.</param>
/// <param name="Norm">||D||_F.</param>
/// <param name="RelativeNorm">||D||_F / ||W_0||_F; 0 where W_0 is zero.</param>
public sealed record DeltaSpectrum(string Expert, IReadOnlyList<double> SingularValues, double Norm, double RelativeNorm)
{
    /// <summary>Gets the cumulative explained variance: the share of ||D||_F^2 that the first k directions carry. 1 for a zero delta.</summary>
    /// <param name="rank">k; beyond the known singular values the share stays where it is.</param>
    /// <returns>A share from 0 to 1.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The rank is negative.</exception>
    public double ExplainedVariance(int rank)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        return Norm > 0 ? Math.Min(1, SingularValues.Take(rank).Sum(value => value * value) / (Norm * Norm)) : 1;
    }

    /// <summary>Finds the smallest rank that explains a share of the variance; null where the known singular values don't reach it.</summary>
    /// <param name="share">The share, from 0 to 1.</param>
    /// <returns>The rank.</returns>
    public int? RankFor(double share)
    {
        double wanted = share * Norm * Norm;
        double sum = 0;
        for (int rank = 0; rank <= SingularValues.Count; rank++)
        {
            if (sum >= wanted)
            {
                return rank;
            }

            sum += rank < SingularValues.Count ? SingularValues[rank] * SingularValues[rank] : 0;
        }

        return null;
    }
}
