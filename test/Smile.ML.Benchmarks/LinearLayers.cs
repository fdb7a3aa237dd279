using BenchmarkDotNet.Attributes;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Benchmarks;

/// <summary>BenchmarkDotNet: a linear layer, plain and routed to one of eight experts of rank 32, on all processors.</summary>
[MemoryDiagnoser]
#pragma warning disable CA1001 // BenchmarkDotNet calls Cleanup
public class LinearLayers
#pragma warning restore CA1001
{
    private CpuBackend? _backend;
    private SyntheticLayer? _layer;

    /// <summary>Gets or sets outputs x inputs.</summary>
    [Params("768x768", "3072x768", "768x3072")]
    public string Shape { get; set; } = "";

    /// <summary>Gets or sets the rows of the input.</summary>
    [Params(1, 50, 1600)]
    public int Tokens { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int[] features = [.. Shape.Split('x').Select(int.Parse)];
        _backend = new CpuBackend();
        _layer = new SyntheticLayer(_backend, features[0], features[1], Tokens, experts: 8);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _layer?.Dispose();
        _backend?.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Plain() => _layer!.RunPlain();

    [Benchmark]
    public void Routed() => _layer!.RunRouted();
}
