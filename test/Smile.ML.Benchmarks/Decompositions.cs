using BenchmarkDotNet.Attributes;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Benchmarks;

/// <summary>BenchmarkDotNet: the truncated singular value decomposition of a weight delta, on one thread as when experts share the processors.</summary>
#pragma warning disable CA1001 // BenchmarkDotNet calls Cleanup
public class Decompositions
#pragma warning restore CA1001
{
    private WorkerPool? _pool;
    private Matrix? _delta;

    /// <summary>Gets or sets outputs x inputs.</summary>
    [Params("768x768", "3072x768", "768x3072", "4096x4096")]
    public string Shape { get; set; } = "";

    /// <summary>Gets or sets the singular values to compute.</summary>
    [Params(32, 128)]
    public int Rank { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int[] features = [.. Shape.Split('x').Select(int.Parse)];
        var values = new float[features[0] * features[1]];
        SyntheticValues.AddFineTuning(values, features[1], rank: 64, productScale: 5e-4f, noiseScale: 2e-4f, seed: 1);
        _pool = new WorkerPool(1);
        _delta = new Matrix(features[0], features[1]);
        values.CopyTo(_delta.Span);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _delta?.Dispose();
        _pool?.Dispose();
    }

    [Benchmark]
    public void Truncated()
    {
        using TruncatedSvd svd = TruncatedSvd.Compute(_delta!, Rank, _pool!);
    }
}
