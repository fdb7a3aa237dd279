using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>
/// How alike the tasks look to the linear layers of the pretrained network: |cosine| of the tasks' mean layer inputs. A router that
/// compares tokens with directions of the input can only tell apart what differs here, so this predicts routing before anything is
/// fine-tuned. Neither labels nor experts are needed. The absolute value, since the router does not see signs.
/// </summary>
/// <param name="Layer">The layer's name.</param>
/// <param name="Cosine">[T, T].</param>
public sealed record LayerInputOverlap(string Layer, LabelledMatrix Cosine)
{
    /// <summary>Measures the overlap on the pretrained network.</summary>
    /// <param name="pretrained">The pretrained model.</param>
    /// <param name="samples">A few rows of each task, 16 or so.</param>
    /// <param name="compute">Where to run; the CPU where null.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <returns>The linear layers that SMILE upscales, in the order of the computation.</returns>
    /// <exception cref="SmileException">The architecture is unsupported, or a sample doesn't fit the network's inputs.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public static IReadOnlyList<LayerInputOverlap> Measure(
        HuggingFaceFolder pretrained, IReadOnlyList<TaskSample> samples, ComputeOptions? compute = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pretrained);
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfZero(samples.Count, nameof(samples));
        HashSet<string> upscaled = [.. NetworkManifest.Read(pretrained.Config, pretrained).LinearLayers.Select(layer => layer.Name)];
        using SmileModel model = SmileModel.Load(pretrained.Config, pretrained, compute);
        var means = new List<MeanInputs>();
        foreach (TaskSample sample in samples)
        {
            means.Add(new MeanInputs());
            model.Observe(sample.Inputs, means[^1], cancellationToken);
        }

        string[] tasks = [.. samples.Select(sample => sample.Task)];
        return
        [
            .. means[0].Sums.Keys.Where(upscaled.Contains).Select(layer => new LayerInputOverlap(
                layer, new LabelledMatrix(tasks, tasks, (i, j) => Math.Abs(CosineOf(means[i].Sums[layer], means[j].Sums[layer]))))),
        ];
    }

    private static double CosineOf(double[] x, double[] y)
    {
        double xy = 0, xx = 0, yy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            xy += x[i] * y[i];
            xx += x[i] * x[i];
            yy += y[i] * y[i];
        }

        double norms = Math.Sqrt(xx) * Math.Sqrt(yy);
        return norms > 0 ? Math.Clamp(xy / norms, -1, 1) : 0;
    }

    /// <summary>Sums each layer's input over all tokens: a multiple of the mean, which is all that a cosine needs.</summary>
    private sealed class MeanInputs : IActivationObserver
    {
        public Dictionary<string, double[]> Sums { get; } = [];

        public void OnLinearInput(Backend backend, string layer, Tensor input)
        {
            var values = new float[input.Length];
            backend.Download(input, values);
            double[] sum = Sums.TryGetValue(layer, out double[]? known) ? known : Sums[layer] = new double[input.Columns];
            for (int i = 0; i < values.Length; i++)
            {
                sum[i % sum.Length] += values[i];
            }
        }

        public void OnBlockOutput(Backend backend, Tensor hidden, int sequences)
        {
        }
    }
}
