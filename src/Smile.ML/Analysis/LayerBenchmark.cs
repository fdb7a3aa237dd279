using System.Diagnostics;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>Measures, on this machine, fusing one linear layer and running it plain and routed. Weights are synthetic.</summary>
/// <param name="outputs">Output features.</param>
/// <param name="inputs">Input features.</param>
/// <param name="experts">Number of experts.</param>
/// <param name="options">How to fuse.</param>
internal sealed class LayerBenchmark(int outputs, int inputs, int experts, SmileFusionOptions options) : IDisposable
{
    private const int Runs = 11;

    /// <summary>Deltas have this many strong directions, over noise: flat enough that the decomposition has work to do.</summary>
    private const int DeltaRank = 64;

    private readonly ScratchFolder _folder = new();

    /// <summary>Measures fusing the layer into a new folder: reading, differences, decompositions, writing.</summary>
    /// <param name="cancellationToken">Ends the measurement between layers.</param>
    /// <returns>The time of one fusion.</returns>
    /// <exception cref="SmileException">An option is out of range, or the system's temporary folder has no room.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public Timing Fuse(CancellationToken cancellationToken = default)
    {
        using ModelPool pool = WritePool();
        return Timing.Measure(Runs, () => Fuse(pool, cancellationToken), () => Directory.Delete(FusedFolder, recursive: true));
    }

    /// <summary>Measures the plain layer and the routed one in turn.</summary>
    /// <param name="tokens">Rows of the input.</param>
    /// <param name="compute">Where to run.</param>
    /// <param name="cancellationToken">Ends the measurement between runs.</param>
    /// <returns>The plain layer's time, the routed one's, and their ratio run by run.</returns>
    /// <exception cref="SmileException">An option is out of range, the device is not there, or the system's temporary folder has no room.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public (Timing Plain, Timing Routed, Timing Ratio) Forward(int tokens, ComputeOptions compute, CancellationToken cancellationToken = default)
    {
        using ModelPool pool = WritePool();
        Fuse(pool, cancellationToken);
        using var plain = new LayerRunner(FolderOf(ModelPool.PretrainedFolder), compute, tokens, inputs);
        using var routed = new LayerRunner(FusedFolder, compute, tokens, inputs);
        int repeats = plain.Repeats();
        var (plainTimes, routedTimes) = (new List<double>(), new List<double>());
        for (int run = 0; run < Runs * 3; run++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            plainTimes.Add(plain.Seconds(repeats));
            routedTimes.Add(routed.Seconds(repeats));
        }

        return (new Timing(plainTimes), new Timing(routedTimes), new Timing([.. routedTimes.Zip(plainTimes, (r, p) => r / p)]));
    }

    /// <summary>Removes the files.</summary>
    public void Dispose() => _folder.Dispose();

    private string FusedFolder => FolderOf("fused");

    private string FolderOf(string model) => Path.Combine(_folder.Path, model);

    private void Fuse(ModelPool pool, CancellationToken cancellationToken)
        => new SmileFusion(options).Fuse(pool, FusedFolder, overwrite: true, cancellationToken: cancellationToken);

    private ModelPool WritePool()
    {
        var random = new Random(1);
        float[] weight = Values(random, outputs * inputs, 0.05f);
        Write(ModelPool.PretrainedFolder, weight);
        var names = new List<KeyValuePair<string, string>>();
        for (int e = 0; e < experts; e++)
        {
            names.Add(KeyValuePair.Create($"{e}", Write($"{e}", FineTune(random, weight))));
        }

        return ModelPool.Open(FolderOf(ModelPool.PretrainedFolder), names);
    }

    private float[] FineTune(Random random, float[] weight)
    {
        float[] tuned = Values(random, weight.Length, 0.002f);
        for (int i = 0; i < tuned.Length; i++)
        {
            tuned[i] += weight[i];
        }

        for (int rank = 0; rank < Math.Min(DeltaRank, Math.Min(outputs, inputs)); rank++)
        {
            float[] left = Values(random, outputs, 0.02f / (rank + 1));
            float[] right = Values(random, inputs, 1);
            for (int i = 0; i < outputs; i++)
            {
                for (int j = 0; j < inputs; j++)
                {
                    tuned[(i * inputs) + j] += left[i] * right[j];
                }
            }
        }

        return tuned;
    }

    private string Write(string name, float[] weight)
    {
        string folder = FolderOf(name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject { ["model_type"] = "mlp" }.ToJsonString());
        TensorFile.Write(
            Path.Combine(folder, "model.safetensors"),
            new Dictionary<string, HostTensor>
            {
                ["layers.0.weight"] = HostTensor.FromFloats([outputs, inputs], weight),
                ["layers.0.bias"] = HostTensor.FromFloats([outputs], new float[outputs]),
            });
        return folder;
    }

    private static float[] Values(Random random, int count, float scale)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = scale * ((random.NextSingle() * 2) - 1);
        }

        return values;
    }

    /// <summary>One layer on a backend, with its input there already.</summary>
    private sealed class LayerRunner : IDisposable
    {
        private readonly SmileModel _model;
        private readonly Tensor _input;

        public LayerRunner(string folder, ComputeOptions compute, int tokens, int inputs)
        {
            _model = SmileModel.Load(folder, compute);
            _input = _model.Backend.Rent(tokens, inputs);
            _model.Backend.Upload(Values(new Random(2), tokens * inputs, 1), _input);
            Seconds(3);
        }

        /// <summary>Runs the layer several times and returns the seconds of one.</summary>
        public double Seconds(int repeats)
        {
            var pass = new ForwardPass(_model.Backend);
            Linear layer = ((MultiLayerPerceptron)_model.Network).Layers[0];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < repeats; i++)
            {
                layer.Forward(pass, _input).Dispose();
            }

            _model.Backend.Synchronize();
            return Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
        }

        /// <summary>Enough runs to fill 20 milliseconds.</summary>
        public int Repeats() => (int)Math.Clamp(0.02 / Seconds(1), 1, 10000);

        public void Dispose()
        {
            _input.Dispose();
            _model.Dispose();
        }
    }
}
