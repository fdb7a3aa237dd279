using System.Diagnostics;
using System.Runtime.InteropServices;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Routing;

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>
/// One linear layer of random weights, plain and routed: 8 experts of rank 32, router rank 16, one expert for a token. There are as many
/// copies of it as take twice the GPU's L2 cache, used in turn, so that weights come from memory.
/// </summary>
internal sealed class BenchmarkLayer : IDisposable
{
    private const int Experts = 8;
    private const int ExpertRank = 32;
    private const int RouterRank = 16;
    private const int Runs = 7;
    private const int ChainLength = 12;
    private const int ChainRuns = 50;
    private const double ChainSeconds = 0.5;

    // Finds memory, sees the work, captures it.
    private const int ChainWarmUps = 4;
    private const int RandomRows = 256;

    // CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE.
    private const int L2CacheBytes = 38;

    private readonly CudaBackend _backend;
    private readonly CudaEvent _start;
    private readonly CudaEvent _end;
    private readonly MatrixPrecision _precision;
    private readonly int _outputs;
    private readonly int _inputs;
    private readonly List<Copy> _copies = [];
    private int _next;

    public BenchmarkLayer(CudaDevice device, CudaOptions options, int outputs, int inputs)
    {
        (_precision, _outputs, _inputs) = (options.Precision, outputs, inputs);
        _backend = new CudaBackend(device, options);
        _start = new CudaEvent(device.Context);
        _end = new CudaEvent(device.Context);

        // Counted by the plain weight alone, of which a plain product reads nothing else.
        long copies = (2L * device.Attribute(L2CacheBytes) / ((long)outputs * inputs * ElementBytes)) + 1;
        try
        {
            for (int copy = 0; copy < copies; copy++)
            {
                _copies.Add(Load());
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private int ElementBytes => _precision == MatrixPrecision.Tf32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Gets the seconds that the routed layer takes at least, everything read and written once.</summary>
    public double? Bound(Peak peak, int tokens)
    {
        double rows = _outputs + (Experts * RouterRank);
        double operations = 2.0 * tokens * ((rows * _inputs) + ((ExpertRank - RouterRank) * (double)_inputs) + (ExpertRank * (double)_outputs));
        double elements = (rows * _inputs) + (Math.Min(tokens, Experts) * (((ExpertRank - RouterRank) * (double)_inputs) + (ExpertRank * (double)_outputs)));
        double bytes = (elements * ElementBytes) + (4.0 * tokens * (_inputs + _outputs));
        return peak.Seconds(_precision, operations, bytes);
    }

    /// <summary>Measures both on the GPU, in turn.</summary>
    /// <param name="tokens">Rows of the input.</param>
    /// <param name="seconds">How long to measure each, about.</param>
    /// <returns>The medians in seconds.</returns>
    public (double Dense, double Routed) Measure(int tokens, double seconds)
    {
        using Tensor input = Input(tokens);
        double[] medians = Measure(seconds, () => Dense(input), () => RunRouted(input, NextCopy()));
        return (medians[0], medians[1]);
    }

    /// <summary>Measures cuBLASLt's product by itself, of an input that has been rounded to the weights' 16 bits before.</summary>
    /// <param name="tokens">Rows of the input.</param>
    /// <param name="seconds">How long to measure, about.</param>
    /// <returns>The median in seconds.</returns>
    public double MeasureProduct(int tokens, double seconds)
    {
        var elements = new byte[tokens * _inputs * sizeof(ushort)];
        FloatCodec.Encode(RandomValues(tokens), TensorType.BF16, elements);
        using Tensor rounded = _backend.Rent(tokens, _inputs / 2), result = _backend.Rent(tokens, _outputs);
        _backend.Upload(MemoryMarshal.Cast<byte, float>(elements), rounded);
        return Measure(seconds, () =>
        {
            var weights = (CudaDenseWeights)NextCopy().Shared;
            _backend.Queue.Multiply(new CublasLtProduct
            {
                Input = ((CudaTensor)rounded).Address,
                Weight = weights.Weight,
                Bias = weights.Bias,
                Result = ((CudaTensor)result).Address,
                Rows = tokens,
                Outputs = _outputs,
                Inputs = _inputs,
                Storage = weights.Storage,
            });
        })[0];
    }

    private double[] Measure(double seconds, params Action[] actions)
    {
        int[] repeats = [.. actions.Select(Repeats)];
        double[][] times = [.. actions.Select(_ => new double[Runs])];
        for (int run = 0; run < Runs; run++)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                times[i][run] = Time(actions[i], repeats[i]);
            }
        }

        return [.. times.Select(Median)];

        int Repeats(Action action)
        {
            // Compiles and finds memory.
            Time(action, 4);
            return Math.Clamp((int)(seconds / Runs / Math.Max(Time(action, 2), 1e-6)), 1, 200);
        }
    }

    /// <summary>Measures a chain of routed layers as its user sees it, until the last has run.</summary>
    /// <returns>The median of one layer in seconds.</returns>
    public double MeasureChain(int tokens)
    {
        using Tensor input = Input(tokens);
        var times = new List<double>();
        long begin = Stopwatch.GetTimestamp();
        for (int run = -ChainWarmUps; run < ChainRuns; run++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < ChainLength; i++)
            {
                // The same in each run, as a network's layers are.
                RunRouted(input, _copies[i % _copies.Count]);
            }

            _backend.Synchronize();
            if (run >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds / ChainLength);
            }

            if (run > 1 && Stopwatch.GetElapsedTime(begin).TotalSeconds > ChainSeconds)
            {
                break;
            }
        }

        return Median(times);
    }

    public void Dispose()
    {
        foreach (Copy copy in _copies)
        {
            copy.Shared.Dispose();
            copy.Gate.Dispose();
            copy.Experts.Dispose();
        }

        _start.Dispose();
        _end.Dispose();
        _backend.Dispose();
    }

    private static RowReader Rows(int seed) => (row, destination) =>
    {
        var random = new Random((seed * 100_000) + row);
        foreach (ref float value in destination)
        {
            value = (random.NextSingle() * 2) - 1;
        }
    };

    private static double Median(IReadOnlyCollection<double> times) => times.Order().ElementAt(times.Count / 2);

    private Copy Load() => new(
        _backend.LoadDense(_outputs, _inputs, Rows(1), new float[_outputs]),
        _backend.LoadDense(Experts * RouterRank, _inputs, Rows(2), null),
        _backend.LoadExperts(_outputs, _inputs, RouterRank, [.. Enumerable.Range(0, Experts).Select(e => new ExpertDefinition
        {
            Rank = ExpertRank,
            Up = Rows(3 + e),
            Down = Rows(20 + e),
            Bias = new float[_outputs],
            RouterScales = Values.Random(e, RouterRank),
        })]));

    private Copy NextCopy() => _copies[_next++ % _copies.Count];

    private Tensor Input(int tokens)
    {
        Tensor input = _backend.Rent(tokens, _inputs);
        _backend.Upload(RandomValues(tokens), input);
        return input;
    }

    /// <summary>Some random rows, again and again.</summary>
    private float[] RandomValues(int tokens)
    {
        float[] some = Values.Random(tokens, Math.Min(tokens, RandomRows) * _inputs);
        var values = new float[tokens * _inputs];
        for (int at = 0; at < values.Length; at += some.Length)
        {
            some.AsSpan(0, Math.Min(some.Length, values.Length - at)).CopyTo(values.AsSpan(at));
        }

        return values;
    }

    private double Time(Action action, int repeats)
    {
        _backend.Queue.Record(_start);
        for (int i = 0; i < repeats; i++)
        {
            action();
        }

        _backend.Queue.Record(_end);
        _end.Synchronize();
        return _end.SecondsSince(_start) / repeats;
    }

    private void Dense(Tensor input)
    {
        using Tensor result = _backend.Rent(input.Rows, _outputs);
        _backend.Multiply(input, [new DenseProduct(NextCopy().Shared, result)]);
    }

    private void RunRouted(Tensor input, Copy copy)
    {
        using Tensor result = _backend.Rent(input.Rows, _outputs), gate = _backend.Rent(input.Rows, copy.Gate.Outputs);
        _backend.Multiply(input, [new DenseProduct(copy.Shared, result), new DenseProduct(copy.Gate, gate)]);
        using RoutingDecision decision = _backend.Route(gate, input.Rows, new SmileRouter(Experts, 1));
        _backend.AddExperts(input, gate, decision, copy.Experts, result);
    }

    private sealed record Copy(DenseWeights Shared, DenseWeights Gate, ExpertWeights Experts);
}
