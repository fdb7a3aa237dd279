using Smile.ML.Compute;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Routing;

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>A routed layer with what surrounds it, as a graph and one launch after the other: the results have the same bits.</summary>
internal sealed class GraphReplay : IDisposable
{
    private const int Rounds = 6;
    private const int Tokens = 20;
    private const int Width = 48;
    private const int Experts = 3;
    private const int RouterRank = 2;
    private const int ExpertRank = 8;

    private readonly CudaBackend _backend;
    private readonly DenseWeights _shared;
    private readonly DenseWeights _gate;
    private readonly ExpertWeights _experts;

    private GraphReplay(CudaDevice device, CudaOptions options)
    {
        _backend = new CudaBackend(device, options);
        _shared = _backend.LoadDense(Width, Width, Reader(1, Width, Width), Values.Random(2, Width));
        _gate = _backend.LoadDense(Experts * RouterRank, Width, Reader(3, Experts * RouterRank, Width), null);
        _experts = _backend.LoadExperts(Width, Width, RouterRank, [.. Enumerable.Range(0, Experts).Select(e => new ExpertDefinition
        {
            Rank = ExpertRank,
            Up = Reader(10 + e, Width, ExpertRank),
            Down = Reader(20 + e, ExpertRank, Width),
            Bias = Values.Random(30 + e, Width),
            RouterScales = Values.Random(40 + e, RouterRank),
        })]);
    }

    /// <summary>Runs both with other values each round.</summary>
    /// <exception cref="OperationFailedException">Bits differ, or nothing ran as a graph.</exception>
    public static void Check(CudaDevice device, CudaOptions options)
    {
        using var graphs = new GraphReplay(device, options with { UseGraphs = true });
        using var eager = new GraphReplay(device, options with { UseGraphs = false });
        for (int round = 0; round < Rounds; round++)
        {
            float[] input = Values.Random(100 + round, Tokens * Width);
            Values.AssertSame<float>($"round {round}", eager.Run(input), graphs.Run(input));
        }

        CudaGraphRecorder recorder = graphs._backend.Queue.Recorder!;
        if (recorder.Launches < 2 || recorder.CaptureFailures > 0)
        {
            throw new OperationFailedException(
                $"{recorder.Launches} launches of graphs in {Rounds} rounds, {recorder.CaptureFailures} graphs that could not be made");
        }
    }

    public void Dispose()
    {
        _shared.Dispose();
        _gate.Dispose();
        _experts.Dispose();
        _backend.Dispose();
    }

    private static RowReader Reader(int seed, int rows, int columns) => Values.Reader(Values.Random(seed, rows * columns), columns);

    private float[] Run(float[] values)
    {
        using Tensor input = _backend.Upload(Tokens, Width, values), result = _backend.Rent(Tokens, Width), gate = _backend.Rent(Tokens, _gate.Outputs);
        _backend.Multiply(input, [new DenseProduct(_shared, result), new DenseProduct(_gate, gate)]);
        using RoutingDecision decision = _backend.Route(gate, Tokens, new SmileRouter(Experts, 1));
        _backend.AddExperts(input, gate, decision, _experts, result);
        _backend.Activate(result, Activation.Gelu);
        _backend.Add(result, input);
        return _backend.Download(result);
    }
}
