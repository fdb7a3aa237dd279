using System.Runtime.InteropServices;
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
        ref float start = ref MemoryMarshal.GetReference(values);
        Vector256<double> lower = default, upper = default;
        int i = 0;
        for (; i <= values.Length - Vector256<float>.Count; i += Vector256<float>.Count)
        {
            Vector256<float> eight = Vector256.LoadUnsafe(ref start, (nuint)i);
            Vector256<double> low = Vector256.WidenLower(eight), high = Vector256.WidenUpper(eight);
            lower = Vector256.FusedMultiplyAdd(low, low, lower);
            upper = Vector256.FusedMultiplyAdd(high, high, upper);
        }

        Vector256<double> four = lower + upper;
        Vector128<double> two = four.GetLower() + four.GetUpper();
        double sum = two[0] + two[1];
        for (; i < values.Length; i++)
        {
            sum += (double)values[i] * values[i];
        }

        return (float)Math.Sqrt(sum);
    }
}
