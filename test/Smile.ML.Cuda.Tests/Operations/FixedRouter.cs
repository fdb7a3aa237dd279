using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>A policy without a kernel: the first projection names a token's first expert, its others follow.</summary>
internal sealed class FixedRouter(int experts, int choices) : IRowRouter
{
    public int ExpertCount => experts;

    public int ExpertsPerToken => choices;

    public void Route(ReadOnlySpan<float> gate, Span<float> scores, Span<int> selected, Span<float> weights)
    {
        scores.Fill(0.5f);
        for (int choice = 0; choice < choices; choice++)
        {
            selected[choice] = ((int)Math.Abs(gate[0]) + choice) % experts;
            weights[choice] = (choice + 1) / 4f;
        }
    }
}
