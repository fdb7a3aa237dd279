using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Routing;

namespace Smile.ML.Analysis;

/// <summary>
/// Whether the router's score ||V_e^T x|| says how much an expert would do, ||u_e svh_e x||: Spearman's rank correlation over the experts,
/// the mean over tokens. 1 where the router ranks experts as their outputs do, 0 where it ranks them at random.
/// </summary>
/// <param name="Layer">The layer's name.</param>
/// <param name="Correlation">From -1 to 1.</param>
/// <param name="Tokens">Tokens that were looked at.</param>
public sealed record ScoreCorrelation(string Layer, double Correlation, int Tokens)
{
    /// <summary>As many tokens of a layer are enough for two digits; they are taken evenly from each run.</summary>
    private const int TokensPerRun = 64;

    /// <summary>Measures the correlation on a fused model with low-rank experts.</summary>
    /// <param name="folder">The fused folder.</param>
    /// <param name="model">The model loaded from it.</param>
    /// <param name="samples">A few rows of each task.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <returns>The layers whose experts all have factors, in the order of the computation.</returns>
    /// <exception cref="SmileException">A sample doesn't fit the network's inputs.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public static IReadOnlyList<ScoreCorrelation> Measure(
        HuggingFaceFolder folder, SmileModel model, IReadOnlyList<TaskSample> samples, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(samples);
        using var factors = new Observer(folder);
        foreach (TaskSample sample in samples)
        {
            model.Observe(sample.Inputs, factors, cancellationToken);
        }

        return [.. factors.Layers.Select(layer => new ScoreCorrelation(layer.Key, layer.Value.Sum / layer.Value.Tokens, layer.Value.Tokens))];
    }

    /// <summary>Computes Spearman's rank correlation; ties take the mean of their ranks. 0 where either side is constant.</summary>
    /// <param name="x">Values.</param>
    /// <param name="y">As many values.</param>
    internal static double Spearman(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double[] rx = Ranks(x), ry = Ranks(y);
        double mean = (x.Length - 1) / 2.0, xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < rx.Length; i++)
        {
            xy += (rx[i] - mean) * (ry[i] - mean);
            xx += (rx[i] - mean) * (rx[i] - mean);
            yy += (ry[i] - mean) * (ry[i] - mean);
        }

        return xx > 0 && yy > 0 ? xy / Math.Sqrt(xx * yy) : 0;
    }

    private static double[] Ranks(ReadOnlySpan<double> values)
    {
        var ranks = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            foreach (double other in values)
            {
                ranks[i] += other < values[i] ? 1 : other == values[i] ? 0.5 : 0;
            }

            ranks[i] -= 0.5;
        }

        return ranks;
    }

    private sealed class Observer(HuggingFaceFolder folder) : IActivationObserver, IDisposable
    {
        private readonly int _experts = Routers.ExpertCount(folder.Config);
        private readonly Dictionary<string, Factors?> _factors = [];

        public Dictionary<string, (double Sum, int Tokens)> Layers { get; } = [];

        public void OnLinearInput(Backend backend, string layer, Tensor input)
        {
            if (!_factors.TryGetValue(layer, out Factors? factors))
            {
                factors = _factors[layer] = Factors.Read(folder, new RoutedLayerNames(layer), _experts, backend);
            }

            if (factors is null)
            {
                return;
            }

            int stride = Math.Max(1, input.Rows / TokensPerRun);
            int[] rows = [.. Enumerable.Range(0, input.Rows).Where(row => row % stride == 0)];
            using Tensor tokens = backend.Rent(rows.Length, input.Columns);
            backend.GatherRows(input, rows, tokens);
            (double sum, int count) = Layers.GetValueOrDefault(layer);
            Layers[layer] = (sum + factors.SumCorrelations(backend, tokens), count + rows.Length);
        }

        public void OnBlockOutput(Backend backend, Tensor hidden, int sequences)
        {
        }

        public void Dispose()
        {
            foreach (Factors? factors in _factors.Values)
            {
                factors?.Dispose();
            }
        }
    }

    /// <summary>The router rows and right factors of a layer. U_e has orthonormal columns, so ||u_e svh_e x|| = ||svh_e x||.</summary>
    private sealed class Factors(DenseWeights gate, DenseWeights[] experts) : IDisposable
    {
        public static Factors? Read(HuggingFaceFolder folder, RoutedLayerNames names, int experts, Backend backend)
        {
            string[] all = [names.Gate, .. Enumerable.Range(0, experts).Select(e => names.Svh(e))];
            if (experts < 2 || !Array.TrueForAll(all, folder.Tensors.ContainsKey))
            {
                return null;
            }

            DenseWeights Load(string name)
            {
                TensorInfo info = folder.GetTensor(name);
                int inputs = checked((int)info.Shape[1]);
                return backend.LoadDense(checked((int)info.Shape[0]), inputs, folder.Rows(name, inputs), null);
            }

            return new Factors(Load(names.Gate), [.. Enumerable.Range(0, experts).Select(e => Load(names.Svh(e)))]);
        }

        public double SumCorrelations(Backend backend, Tensor tokens)
        {
            double[][] scores = Norms(backend, tokens, gate, experts.Length);
            double[][][] outputs = [.. experts.Select(svh => Norms(backend, tokens, svh, 1))];
            return Enumerable.Range(0, tokens.Rows).Sum(token => Spearman(scores[token], outputs.Select(norms => norms[token][0]).ToArray()));
        }

        public void Dispose()
        {
            gate.Dispose();
            Array.ForEach(experts, expert => expert.Dispose());
        }

        /// <summary>The norms of consecutive groups of a product's columns [tokens][groups].</summary>
        private static double[][] Norms(Backend backend, Tensor tokens, DenseWeights weights, int groups)
        {
            using Tensor product = backend.Rent(tokens.Rows, weights.Outputs);
            backend.Multiply(tokens, [new DenseProduct(weights, product)]);
            var values = new float[product.Length];
            backend.Download(product, values);
            int width = weights.Outputs / groups;
            return
            [
                .. Enumerable.Range(0, tokens.Rows).Select(token => Enumerable.Range(0, groups)
                    .Select(group => values.AsSpan((token * weights.Outputs) + (group * width), width).ToArray().Sum(v => (double)v * v))
                    .ToArray()),
            ];
        }
    }
}
