using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>The routed low-rank product: how tokens spread over experts, and what experts are made of.</summary>
internal static class ExpertCases
{
    public static IEnumerable<OperationCase> All =>
    [
        Of("one token", 1, 9, 11, 2, 1, 2, 1, Rank(4, 2)),
        Of("tokens on all experts", 150, 20, 70, 4, 4, 2, 1, Rank(5, 2)),
        Of("all tokens on one of 64 experts", 200, 12, 9, 64, 1, 2, 1, Rank(3, 2)),
        Of("empty experts", 70, 33, 65, 8, 3, 4, 1, Rank(17, 4)),
        Of("several experts for a token", 90, 16, 24, 5, 5, 3, 3, Rank(8, 3)),
        Of("rank 1", 66, 16, 24, 3, 3, 1, 1, Rank(1, 1)),
        Of("rank 512, nothing reused", 5, 520, 67, 2, 2, 16, 1, Rank(512, 0)),
        Of("rank 35, of which 16 reused", 65, 40, 10, 3, 3, 16, 1, Rank(35, 16)),
        Of("as many router rows as ranks", 20, 40, 10, 3, 3, 16, 1, Rank(16, 16)),
        Of("dense experts", 68, 19, 66, 3, 3, 2, 2, _ => (null, 0, true)),
        Of("biases alone", 40, 8, 66, 3, 3, 2, 1, _ => (0, 0, true)),
        Of("one expert without effect", 30, 8, 10, 3, 3, 2, 1, e => e == 1 ? (0, 0, false) : (4, 2, true)),
        Of("no expert with an effect", 30, 8, 10, 3, 3, 2, 1, _ => (0, 0, false)),
        Of("ranks that differ, dense and low rank", 100, 21, 33, 5, 5, 2, 2, e => e switch
        {
            0 => (null, 0, true),
            1 => (3, 1, false),
            2 => (0, 0, true),
            3 => (21, 2, true),
            _ => (7, 0, true),
        }),
        new OperationCase("experts: factors that bfloat16 holds", true, (backend, precision) => new Layer(
            21, 67, 2, [(7, 2, true), (4, 0, false), (null, 0, true)], coarse: true).Check(backend, precision, 90, 3, 2)),
        new OperationCase("experts: a token alone and in a batch", true, (backend, _) => TokensAreIndependent(backend)),
    ];

    private static Func<int, (int?, int, bool)> Rank(int rank, int reused) => e => (rank, reused, e % 2 == 0);

    private static OperationCase Of(
        string what, int tokens, int inputs, int outputs, int experts, int used, int routerRank, int choices, Func<int, (int? Rank, int Reused, bool Bias)> kind)
        => new($"experts: {what}", true, (backend, precision) =>
        {
            var layer = new Layer(inputs, outputs, routerRank, [.. Enumerable.Range(0, experts).Select(kind)]);
            layer.Check(backend, precision, tokens, used, choices);
        });

    private static void TokensAreIndependent(Backend backend)
    {
        const int Tokens = 140, Inputs = 20, Outputs = 40, Experts = 3, RouterRank = 2;
        var layer = new Layer(Inputs, Outputs, RouterRank, [(6, 2, true), (5, 0, true), (6, 2, false)]);
        float[] x = Values.Random(8, Tokens * Inputs), gate = Layer.Gate(Tokens, Experts, Experts, RouterRank);
        float[] together = layer.Apply(backend, x, gate, Tokens, 2);
        foreach (int token in (int[])[0, 77, 139])
        {
            float[] alone = layer.Apply(
                backend, x[(token * Inputs)..((token + 1) * Inputs)], gate[(token * Experts * RouterRank)..((token + 1) * Experts * RouterRank)], 1, 2);
            Values.AssertSame<float>($"token {token}", together.AsSpan(token * Outputs, Outputs), alone);
        }
    }

    /// <summary>A layer of random experts.</summary>
    private sealed class Layer
    {
        private readonly int _inputs;
        private readonly int _outputs;
        private readonly int _routerRank;
        private readonly ExpertDefinition[] _experts;
        private readonly float[]?[] _up;
        private readonly float[]?[] _down;

        public Layer(int inputs, int outputs, int routerRank, (int? Rank, int Reused, bool Bias)[] experts, bool coarse = false)
        {
            (_inputs, _outputs, _routerRank) = (inputs, outputs, routerRank);
            _up = [.. experts.Select((e, i) => e.Rank == 0 ? null : Values.Random(10 + i, outputs * (e.Rank ?? inputs)))];
            _down = [.. experts.Select((e, i) => e.Rank is null or 0 ? null : Values.Random(50 + i, e.Rank.Value * inputs))];
            if (coarse)
            {
                _up = [.. _up.Select(factors => factors is null ? null : Values.CutToBFloat16(factors))];
                _down = [.. _down.Select(factors => factors is null ? null : Values.CutToBFloat16(factors))];
            }

            _experts =
            [
                .. experts.Select((e, i) => new ExpertDefinition
                {
                    Rank = e.Rank,
                    Up = _up[i] is { } up ? Values.Reader(up, e.Rank ?? inputs) : null,
                    Down = _down[i] is { } down ? Values.Reader(down, inputs) : null,
                    Bias = e.Bias ? Values.Random(90 + i, outputs) : null,
                    RouterScales = Values.Random(130 + i, e.Reused),
                }),
            ];
        }

        /// <summary>Projections whose first value, for <see cref="FixedRouter"/>, names one of the experts in use.</summary>
        public static float[] Gate(int tokens, int experts, int used, int routerRank)
        {
            float[] gate = Values.Random(7, tokens * experts * routerRank);
            var random = new Random(3);
            for (int token = 0; token < tokens; token++)
            {
                gate[token * experts * routerRank] = (experts - used + random.Next(used)) + 0.25f;
            }

            return gate;
        }

        public float[] Apply(Backend backend, float[] x, float[] gate, int tokens, int choices)
        {
            using Tensor input = backend.Upload(tokens, _inputs, x), projections = backend.Upload(tokens, gate.Length / tokens, gate);
            using Tensor result = backend.Upload(tokens, _outputs, Start(tokens));
            using ExpertWeights weights = backend.LoadExperts(_outputs, _inputs, _routerRank, _experts);
            using RoutingDecision decision = backend.Route(projections, tokens, new FixedRouter(_experts.Length, choices));
            backend.AddExperts(input, projections, decision, weights, result);
            return backend.Download(result);
        }

        public void Check(Backend backend, MatrixPrecision precision, int tokens, int used, int choices)
        {
            float[] x = Values.Random(5, tokens * _inputs), gate = Gate(tokens, _experts.Length, used, _routerRank);
            float[] actual = Apply(backend, x, gate, tokens, choices);
            double[] expected = [.. Start(tokens).Select(value => (double)value)];
            double[] magnitudes = [.. expected.Select(Math.Abs)];
            int depth = 0;
            var router = new FixedRouter(_experts.Length, choices);
            var (scores, selected, weights) = (new float[_experts.Length], new int[choices], new float[choices]);
            for (int token = 0; token < tokens; token++)
            {
                float[] projections = gate[(token * _experts.Length * _routerRank)..((token + 1) * _experts.Length * _routerRank)];
                router.Route(projections, scores, selected, weights);
                for (int choice = 0; choice < choices; choice++)
                {
                    int e = selected[choice];
                    (double[] values, double[] sizes) = Factors(e, x.AsSpan(token * _inputs, _inputs), projections);
                    depth = Math.Max(depth, _inputs + values.Length + 2);
                    for (int o = 0; o < _outputs; o++)
                    {
                        double sum = _experts[e].Bias?[o] ?? 0, size = Math.Abs(sum);
                        for (int j = 0; j < values.Length; j++)
                        {
                            double u = _up[e]![(o * values.Length) + j];
                            sum += u * values[j];
                            size += Math.Abs(u) * sizes[j];
                        }

                        expected[(token * _outputs) + o] += weights[choice] * sum;
                        magnitudes[(token * _outputs) + o] += weights[choice] * size;
                    }
                }
            }

            // Two products follow one another; each rounds.
            double bound = 2 * PrecisionBounds.Of(precision, depth);
            Values.AssertClose("result", expected, actual, i => bound * magnitudes[i]);
        }

        /// <summary>The shared layer's outputs, the same for each token.</summary>
        private float[] Start(int tokens) => [.. Enumerable.Repeat(Values.Random(6, _outputs), tokens).SelectMany(row => row)];

        /// <summary>What the second factor is multiplied by, and the sum of its terms' magnitudes.</summary>
        private (double[] Values, double[] Sizes) Factors(int e, ReadOnlySpan<float> x, float[] projections)
        {
            int rank = _experts[e].Rank ?? _inputs;
            var (values, sizes) = (new double[rank], new double[rank]);
            for (int j = 0; j < rank; j++)
            {
                if (_experts[e].Rank is null)
                {
                    values[j] = x[j];
                    sizes[j] = Math.Abs(values[j]);
                }
                else if (j < _experts[e].RouterScales.Length)
                {
                    values[j] = (double)projections[(e * _routerRank) + j] * _experts[e].RouterScales[j];
                    sizes[j] = Math.Abs(values[j]);
                }
                else
                {
                    for (int i = 0; i < _inputs; i++)
                    {
                        double term = (double)_down[e]![(j * _inputs) + i] * x[i];
                        values[j] += term;
                        sizes[j] += Math.Abs(term);
                    }
                }
            }

            return (values, sizes);
        }
    }
}
