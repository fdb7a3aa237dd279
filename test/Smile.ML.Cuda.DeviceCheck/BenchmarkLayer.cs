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
    private const int WarmUps = 3;
    private const int Runs = 11;

    private readonly CudaBackend _backend;
    private readonly CudaEvent _start;
    private readonly CudaEvent _end;
    private readonly int _outputs;
    private readonly int _inputs;
    private readonly DenseWeights _shared;
    private readonly DenseWeights _gate;
    private readonly ExpertWeights _experts;

    public BenchmarkLayer(CudaDevice device, CudaOptions options, int outputs, int inputs)
    {
        (_outputs, _inputs) = (outputs, inputs);
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

    /// <summary>Gets the routed layer's multiply-adds over the plain one's.</summary>
    public double OperationRatio
        => 1 + (((Experts * (double)RouterRank * _inputs) + ((ExpertRank - RouterRank) * (double)_inputs) + (ExpertRank * (double)_outputs)) / ((double)_outputs * _inputs));

    /// <summary>Measures both in turn.</summary>
    /// <returns>The medians in seconds.</returns>
    public (double Dense, double Routed) Measure(int tokens)
    {
        using Tensor input = _backend.Upload(tokens, _inputs, Values.Random(tokens, tokens * _inputs));
        int repeats = tokens <= 64 ? 50 : 5;
        for (int i = 0; i < WarmUps; i++)
        {
            Dense(input);
            Routed(input);
        }

        double[] dense = new double[Runs], routed = new double[Runs];
        for (int run = 0; run < Runs; run++)
        {
            dense[run] = Time(() => Dense(input), repeats);
            routed[run] = Time(() => Routed(input), repeats);
        }

        return (dense.Order().ElementAt(Runs / 2), routed.Order().ElementAt(Runs / 2));
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

    private double Time(Action action, int repeats)
    {
        _start.Record(_backend.Queue.Stream);
        for (int i = 0; i < repeats; i++)
        {
            action();
        }

        _end.Record(_backend.Queue.Stream);
        _end.Synchronize();
        return _end.SecondsSince(_start) / repeats;
    }

    private void Dense(Tensor input)
    {
        using Tensor result = _backend.Rent(input.Rows, _outputs);
        _backend.Multiply(input, [new DenseProduct(_shared, result)]);
    }

    private void Routed(Tensor input)
    {
        using Tensor result = _backend.Rent(input.Rows, _outputs), gate = _backend.Rent(input.Rows, _gate.Outputs);
        _backend.Multiply(input, [new DenseProduct(_shared, result), new DenseProduct(_gate, gate)]);
        using RoutingDecision decision = _backend.Route(gate, input.Rows, new SmileRouter(Experts, 1));
        _backend.AddExperts(input, gate, decision, _experts, result);
    }
}
