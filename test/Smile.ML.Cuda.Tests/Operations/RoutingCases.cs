using Smile.ML.Compute;
using Smile.ML.Routing;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>SMILE's router on the device against the same router on the host: the same logits and choices, weights within rounding.</summary>
internal static class RoutingCases
{
    public static IEnumerable<OperationCase> All =>
    [
        Of(1, 2, 1, 1),
        Of(1, 64, 16, 1),
        Of(33, 8, 16, 1),
        Of(20, 5, 45, 2),
        Of(100, 3, 5, 2),
        Of(9, 64, 2, 7),
        Of(7, 33, 3, 33),
        Of(5, 1, 4, 1),
        Of(3, 100, 1, 40),
        Of(2, 1030, 1, 3),
        new OperationCase("routing: nothing to route by", false, (backend, _) => Run(backend, 6, 4, 2, null, 0)),
        new OperationCase("routing: equal logits and NaN", false, (backend, _) => Run(
            backend, 4, 3, 2, [1, 1, 1, 2, 5, 5, float.NaN, 1, 2, float.NaN, float.NaN, float.NaN], 1)),
    ];

    private static OperationCase Of(int tokens, int experts, int rank, int choices) => new(
        $"routing: {tokens} tokens to {choices} of {experts} experts of rank {rank}",
        false,
        (backend, _) => Run(backend, tokens, experts, choices, experts == 1 ? null : Values.Random(tokens, tokens * experts * rank), rank));

    private static void Run(Backend backend, int tokens, int experts, int choices, float[]? projections, int rank)
    {
        var router = new SmileRouter(experts, choices);
        using Tensor? gate = projections is null ? null : backend.Upload(tokens, experts * rank, projections);
        using RoutingDecision decision = backend.Route(gate, tokens, router);
        float[] scores = new float[tokens * experts], weights = new float[tokens * choices];
        int[] selected = new int[tokens * choices];
        decision.Download(scores, selected, weights);
        for (int token = 0; token < tokens; token++)
        {
            float[] expectedScores = new float[experts], expectedWeights = new float[choices];
            int[] expectedSelected = new int[choices];
            router.Route(
                projections is null ? [] : projections.AsSpan(token * experts * rank, experts * rank), expectedScores, expectedSelected, expectedWeights);
            Values.AssertSame<float>($"logits of token {token}", expectedScores, scores.AsSpan(token * experts, experts));
            Values.AssertSame<int>($"experts of token {token}", expectedSelected, selected.AsSpan(token * choices, choices));
            for (int choice = 0; choice < choices; choice++)
            {
                if (!float.IsNaN(expectedWeights[choice]))
                {
                    Values.AssertClose($"weights of token {token}", [expectedWeights[choice]], [weights[(token * choices) + choice]], 1e-6);
                }
            }
        }
    }
}
