using System.Diagnostics;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Routing;

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>One linear layer of random weights, plain and routed: 8 experts of rank 32, router rank 16, one expert for a token.</summary>
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

    private readonly CudaBackend _backend;
    private readonly CudaEvent _start;
    private readonly CudaEvent _end;
    private readonly MatrixPrecision _precision;
    private readonly int _outputs;
    private readonly int _inputs;
    private readonly DenseWeights _shared;
    private readonly DenseWeights _gate;
    private readonly ExpertWeights _experts;

    public BenchmarkLayer(CudaDevice device, CudaOptions options, int outputs, int inputs)
    {
        (_precision, _outputs, _inputs) = (options.Precision, outputs, inputs);
        _backend = new CudaBackend(device, options);
        _start = new CudaEvent(device.Context);
        _end = new CudaEvent(device.Context);
        _shared = _backend.LoadDense(outputs, inputs, Rows(1), new float[outputs]);
        _gate = _backend.LoadDense(Experts * RouterRank, inputs, Rows(2), null);
        _experts = _backend.LoadExperts(outputs, inputs, RouterRank, [.. Enumerable.Range(0, Experts).Select(e => new ExpertDefinition
        {
            Rank = ExpertRank,
            Up = Rows(3 + e),
            Down = Rows(20 + e),
            Bias = new float[outputs],
            RouterScales = Values.Random(e, RouterRank),
        })]);
    }

    /// <summary>Gets the seconds that the routed layer takes at least, everything read and written once.</summary>
    public double Bound(Peak peak, int tokens)
    {
        double rows = _outputs + (Experts * RouterRank);
        double operations = 2.0 * tokens * ((rows * _inputs) + ((ExpertRank - RouterRank) * (double)_inputs) + (ExpertRank * (double)_outputs));
        double elements = (rows * _inputs) + (Math.Min(tokens, Experts) * (((ExpertRank - RouterRank) * (double)_inputs) + (ExpertRank * (double)_outputs)));
        double bytes = (elements * (_precision == MatrixPrecision.Tf32 ? 4 : 2)) + (4.0 * tokens * (_inputs + _outputs));
        return peak.Seconds(_precision, operations, bytes);
    }

    /// <summary>Measures both on the GPU, in turn.</summary>
    /// <param name="tokens">Rows of the input.</param>
    /// <param name="seconds">How long to measure each, about.</param>
    /// <returns>The medians in seconds.</returns>
    public (double Dense, double Routed) Measure(int tokens, double seconds)
    {
        using Tensor input = Input(tokens);
        (int denseRepeats, int routedRepeats) = (Repeats(() => Dense(input)), Repeats(() => Routed(input)));
        double[] dense = new double[Runs], routed = new double[Runs];
        for (int run = 0; run < Runs; run++)
        {
            dense[run] = Time(() => Dense(input), denseRepeats);
            routed[run] = Time(() => Routed(input), routedRepeats);
        }

        return (Median(dense), Median(routed));

        int Repeats(Action action)
        {
            // Compiles, finds memory, captures graphs.
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
                RunRouted(input);
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
        _shared.Dispose();
        _gate.Dispose();
        _experts.Dispose();
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

    /// <summary>Some random rows, again and again.</summary>
    private Tensor Input(int tokens)
    {
        Tensor input = _backend.Rent(tokens, _inputs);
        float[] some = Values.Random(tokens, Math.Min(tokens, RandomRows) * _inputs);
        var values = new float[tokens * _inputs];
        for (int at = 0; at < values.Length; at += some.Length)
        {
            some.AsSpan(0, Math.Min(some.Length, values.Length - at)).CopyTo(values.AsSpan(at));
        }

        _backend.Upload(values, input);
        return input;
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
        _backend.Multiply(input, [new DenseProduct(_shared, result)]);
        _backend.Queue.Submit();
    }

    private void Routed(Tensor input)
    {
        RunRouted(input);
        _backend.Queue.Submit();
    }

    private void RunRouted(Tensor input)
    {
        using Tensor result = _backend.Rent(input.Rows, _outputs), gate = _backend.Rent(input.Rows, _gate.Outputs);
        _backend.Multiply(input, [new DenseProduct(_shared, result), new DenseProduct(_gate, gate)]);
        using RoutingDecision decision = _backend.Route(gate, input.Rows, new SmileRouter(Experts, 1));
        _backend.AddExperts(input, gate, decision, _experts, result);
    }
}
