using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;
using Smile.ML.Routing;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Routing;

/// <summary>The routed layer against its formula in float64, and the promise that neither batch nor threads change a bit.</summary>
[TestClass]
public sealed class RoutedLinearTests
{
    [TestMethod]
    [DataRow(1, 1, 5, 7, 3, 2, 1)]
    [DataRow(2, 3, 33, 17, 4, 2, 1)]
    [DataRow(3, 50, 64, 48, 16, 8, 2)]
    [DataRow(4, 131, 40, 100, 8, 8, 5)]
    [DataRow(5, 200, 24, 32, 2, 6, 8)]
    [DataRow(6, 17, 1, 20, 1, 1, 2)]
    public void FollowsTheFormula(int seed, int tokens, int outputs, int inputs, int rank, int routerRank, int chosen)
    {
        var layer = new Layer(seed, outputs, inputs, experts: 8, rank, routerRank, chosen);
        float[] x = TestPool.Gaussian(new Random(seed), 1, tokens, inputs).Floats!;
        float[] y = layer.Run(x, tokens, threads: 2);
        for (int t = 0; t < tokens; t++)
        {
            double[] expected = layer.Expected(x.AsSpan(t * inputs, inputs));
            double scale = expected.Select(Math.Abs).Append(1).Max();
            for (int o = 0; o < outputs; o++)
            {
                Assert.AreEqual(expected[o], y[(t * outputs) + o], 1e-5 * scale, $"token {t}, output {o}");
            }
        }
    }

    [TestMethod]
    public void NeitherBatchNorThreadsChangeABit()
    {
        const int Tokens = 157, Inputs = 70, Outputs = 45;
        var layer = new Layer(9, Outputs, Inputs, experts: 6, rank: 12, routerRank: 5, chosen: 3);
        float[] x = TestPool.Gaussian(new Random(3), 1, Tokens, Inputs).Floats!;
        float[] whole = layer.Run(x, Tokens, threads: 1);
        CollectionAssert.AreEqual(whole, layer.Run(x, Tokens, threads: 3));
        foreach (int size in new[] { 1, 2, 13, 64 })
        {
            var parts = new List<float>();
            for (int start = 0; start < Tokens; start += size)
            {
                int count = Math.Min(size, Tokens - start);
                parts.AddRange(layer.Run(x.AsSpan(start * Inputs, count * Inputs).ToArray(), count, threads: 2));
            }

            CollectionAssert.AreEqual(whole, parts, $"{size} tokens at a time");
        }
    }

    [TestMethod]
    public void ABrokenTokenHarmsNoOther()
    {
        var layer = new Layer(4, 20, 30, experts: 4, rank: 4, routerRank: 2, chosen: 1);
        float[] x = TestPool.Gaussian(new Random(5), 1, 9, 30).Floats!;
        float[] clean = layer.Run(x, 9, threads: 1);
        x[(4 * 30) + 7] = float.NaN;
        float[] broken = layer.Run(x, 9, threads: 1);
        for (int i = 0; i < clean.Length; i++)
        {
            Assert.AreEqual(i / 20 == 4 ? float.NaN : clean[i], broken[i]);
        }
    }

    /// <summary>A layer in which expert 1 left the weight alone, expert 2 has no bias delta, expert 3 is dense and the router computes the
    /// first rows of expert 4's svh.</summary>
    private sealed class Layer
    {
        private readonly int _outputs, _inputs, _routerRank;
        private readonly float[] _weight, _bias, _gate;
        private readonly float[]?[] _u, _svh, _dense, _biases;
        private readonly int _rank, _chosen;

        public Layer(int seed, int outputs, int inputs, int experts, int rank, int routerRank, int chosen)
        {
            var random = new Random(seed);
            (_outputs, _inputs, _rank, _routerRank, _chosen) = (outputs, inputs, rank, routerRank, chosen);
            _weight = TestPool.Gaussian(random, 0.3f, outputs, inputs).Floats!;
            _bias = TestPool.Gaussian(random, 0.3f, outputs).Floats!;
            _gate = TestPool.Gaussian(random, 0.3f, experts * routerRank, inputs).Floats!;
            _gate.AsSpan(1 * routerRank * inputs, routerRank * inputs).Clear();
            _u = [.. Enumerable.Range(0, experts).Select(e => e is 1 or 3 ? null : TestPool.Gaussian(random, 0.3f, outputs, rank).Floats)];
            _svh = [.. Enumerable.Range(0, experts).Select(e => e is 1 or 3 ? null : TestPool.Gaussian(random, 0.3f, rank, inputs).Floats)];
            _dense = [.. Enumerable.Range(0, experts).Select(e => e is 3 ? TestPool.Gaussian(random, 0.3f, outputs, inputs).Floats : null)];
            _biases = [.. Enumerable.Range(0, experts).Select(e => e is 2 ? null : TestPool.Gaussian(random, 0.3f, outputs).Floats)];
            for (int i = 0; experts > 4 && i < Math.Min(rank, routerRank); i++)
            {
                for (int j = 0; j < inputs; j++)
                {
                    _svh[4]![(i * inputs) + j] = (i + 0.5f) * _gate[(((4 * routerRank) + i) * inputs) + j];
                }
            }
        }

        public float[] Run(float[] x, int tokens, int threads)
        {
            using var backend = new CpuBackend(threads);
            ExpertDefinition[] experts = [.. Enumerable.Range(0, _u.Length).Select(e => new ExpertDefinition
            {
                Rank = _dense[e] is not null ? null : _u[e] is null ? 0 : _rank,
                Up = Rows(_dense[e] ?? _u[e], _dense[e] is not null ? _inputs : _rank),
                Down = Rows(_svh[e], _inputs),
                Bias = _biases[e],
                RouterScales = e == 4 ? [.. Enumerable.Range(0, Math.Min(_rank, _routerRank)).Select(i => i + 0.5f)] : [],
            })];
            using DenseWeights shared = backend.LoadDense(_outputs, _inputs, Rows(_weight, _inputs)!, _bias);
            using DenseWeights gate = backend.LoadDense(_u.Length * _routerRank, _inputs, Rows(_gate, _inputs)!, null);
            using ExpertWeights weights = backend.LoadExperts(_outputs, _inputs, _routerRank, experts);
            var layer = new RoutedLinear("layer", shared, gate, weights, new SmileRouter(_u.Length, _chosen));
            using Tensor input = backend.Rent(tokens, _inputs);
            backend.Upload(x, input);
            using Tensor result = layer.Forward(new ForwardPass(backend), input);
            var values = new float[tokens * _outputs];
            backend.Download(result, values);
            return values;
        }

        public double[] Expected(ReadOnlySpan<float> token)
        {
            double[] x = [.. token.ToArray()];
            double[] g = Multiply(_gate, x);
            double[] r = [.. Enumerable.Range(0, _u.Length).Select(e => Math.Sqrt(g.Skip(e * _routerRank).Take(_routerRank).Sum(v => v * v)))];
            int[] chosen = [.. Enumerable.Range(0, r.Length).OrderByDescending(e => r[e]).ThenBy(e => e).Take(_chosen)];
            double sum = chosen.Sum(e => Math.Exp(r[e]));
            double[] y = [.. Multiply(_weight, x).Zip(_bias, (v, b) => v + b)];
            foreach (int e in chosen)
            {
                double[] delta = _dense[e] is { } dense ? Multiply(dense, x) : _u[e] is { } u ? Multiply(u, Multiply(_svh[e]!, x)) : new double[_outputs];
                for (int o = 0; o < _outputs; o++)
                {
                    y[o] += Math.Exp(r[e]) / sum * (delta[o] + (_biases[e]?[o] ?? 0));
                }
            }

            return y;
        }

        private static double[] Multiply(float[] matrix, double[] x)
            => [.. Enumerable.Range(0, matrix.Length / x.Length).Select(row => x.Select((v, i) => v * matrix[(row * x.Length) + i]).Sum())];

        private static RowReader? Rows(float[]? matrix, int columns)
            => matrix is null ? null : (row, destination) => matrix.AsSpan(row * columns, destination.Length).CopyTo(destination);
    }
}
