using System.Runtime.Intrinsics;
using Smile.ML.Compute;

namespace Smile.ML.Routing;

/// <summary>
/// SMILE's router (arXiv 2408.10174, section 4): the logit of expert e is the norm of the token's projection onto the expert's router
/// subspace, r_e = ||V_e^T x||_2; softmax over all experts; the best are kept and their weights made to sum to 1. Of equal logits
/// the expert of lower number comes first.
/// </summary>
internal sealed class SmileRouter(int expertCount, int expertsPerToken) : IRowRouter
{
    public int ExpertCount => expertCount;

    public int ExpertsPerToken => expertsPerToken;

    public void Route(ReadOnlySpan<float> gate, Span<float> scores, Span<int> selected, Span<float> weights)
    {
        if (expertCount == 1)
        {
            // Nothing to choose: no projection is computed, and the logit is 1, as in FusionBench.
            scores[0] = 1;
            selected[0] = 0;
            weights[0] = 1;
            return;
        }

        int rank = gate.Length / expertCount;
        for (int expert = 0; expert < expertCount; expert++)
        {
            scores[expert] = Norm(gate.Slice(expert * rank, rank));
        }

        TopExperts.Select(scores, selected, weights);
    }

    /// <summary>
    /// Eight interleaved sums in float64, added up in one order: no overflow, and the same bits on every machine.
    /// </summary>
    private static float Norm(ReadOnlySpan<float> values)
    {
        Vector512<double> sums = default;
        for (; values.Length >= Vector256<float>.Count; values = values[Vector256<float>.Count..])
        {
            (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(Vector256.Create(values));
            Vector512<double> wide = Vector512.Create(lower, upper);
            sums = Vector512.FusedMultiplyAdd(wide, wide, sums);
        }

        Vector256<double> four = sums.GetLower() + sums.GetUpper();
        Vector128<double> two = four.GetLower() + four.GetUpper();
        double sum = two[0] + two[1];
        foreach (float value in values)
        {
            sum += (double)value * value;
        }

        return (float)Math.Sqrt(sum);
    }
}
