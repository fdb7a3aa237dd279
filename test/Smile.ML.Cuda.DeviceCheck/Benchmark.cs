using System.Globalization;

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>Plain and routed layers, against the bound, cuBLASLt and PyTorch.</summary>
/// <param name="device">The GPU.</param>
/// <param name="figures">Where the figures go.</param>
/// <param name="torchFile">torch_benchmark.py's figures; null or not there for none.</param>
/// <param name="small">Sizes that an emulated device can do.</param>
internal sealed class Benchmark(CudaDevice device, Figures figures, string? torchFile, bool small)
{
    // What a cell takes, about, beside its warm-up.
    private const double Seconds = 0.15;

    private readonly (int Outputs, int Inputs)[] _shapes = small ? [(48, 48), (96, 48)] : [(768, 768), (3072, 768), (4096, 4096), (14336, 4096)];
    private readonly int[] _tokens = small ? [1, 20] : [1, 64, 4096, 16384];
    private readonly Dictionary<string, (double Dense, double Loop)> _torch = ReadTorch(torchFile);
    private readonly CheckList _cells = new(device);
    private string? _noCublasLt;

    /// <summary>Measures what can be measured; returns the exit code.</summary>
    public int Run()
    {
        Peak peak = Peak.Of(device);
        (long free, long total) = device.Memory();
        figures.Write($"# {device.Model}, {DateTime.UtcNow:yyyy-MM-dd}");
        figures.Write(string.Empty);
        figures.Write(
            $"{device.Multiprocessors} multiprocessors, {total >> 20} MiB. By what the driver says of its clocks: {Rate(peak.BFloat16, 1e12)} TFLOP/s bf16, "
            + $"{Rate(peak.Tf32, 1e12)} tf32, {Rate(peak.Bytes, 1e9)} GB/s; the bound is the larger of the times at those rates that are known, everything read and written once.");
        figures.Write(
            "8 experts of rank 32, router rank 16, one expert a token; inputs and results float32, but PyTorch's bf16 has both in bf16. Times in microseconds, medians. "
            + "Weights come from memory: copies of the layer that take twice the L2 cache are used in turn, by PyTorch too. Inputs may stay in the cache.");
        figures.Write(string.Empty);
        figures.Write("## Layers");
        figures.Write(string.Empty);
        figures.Write(
            "One launch after the other, none as a graph. \"cuBLASLt alone\" has its input in bf16 already; \"dense, cuBLASLt\" in bf16 includes the kernel that rounds "
            + "the float32 input. In tf32 both are the same.");
        figures.Write(string.Empty);
        figures.Write(
            "| precision | out x in | tokens | bound | cuBLASLt alone | dense, cuBLASLt | dense, own | routed, own | routed, cuBLASLt and own | best / dense, cuBLASLt "
            + "| best / cuBLASLt alone | PyTorch dense | PyTorch loop | loop / best |");
        figures.Write("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (MatrixPrecision precision in (MatrixPrecision[])[MatrixPrecision.BFloat16, MatrixPrecision.Tf32])
        {
            foreach ((int outputs, int inputs) in _shapes)
            {
                _cells.Run($"{Name(precision)}, {outputs}x{inputs}", () => MeasureLayer(peak, precision, outputs, inputs));
            }
        }

        if (_noCublasLt is not null)
        {
            figures.Write(string.Empty);
            figures.Write($"Without cuBLASLt: {_noCublasLt}");
        }

        figures.Write(string.Empty);
        figures.Write("## CUDA graphs: 12 routed layers until the host knows that they are done, per layer");
        figures.Write(string.Empty);
        figures.Write("| precision | out x in | tokens | one launch after the other | as a graph | gain |");
        figures.Write("|---|---|---|---|---|---|");
        foreach ((int outputs, int inputs) in _shapes[..2])
        {
            _cells.Run($"graphs, {outputs}x{inputs}", () => MeasureGraphs(outputs, inputs));
        }

        return _cells.Finish("benchmark");
    }

    private static string Name(MatrixPrecision precision) => precision == MatrixPrecision.Tf32 ? "tf32" : "bf16";

    private static string Rate(double? value, double unit) => value is { } known ? $"{known / unit:F0}" : "unknown";

    private static Dictionary<string, (double Dense, double Loop)> ReadTorch(string? file)
        => file is null || !File.Exists(file) ? [] : File.ReadLines(file).Select(line => line.Split('\t')).ToDictionary(
            cells => $"{cells[0]} {cells[1]} {cells[2]}",
            cells => (double.Parse(cells[3], CultureInfo.InvariantCulture), double.Parse(cells[4], CultureInfo.InvariantCulture)));

    private static string Microseconds(double? seconds) => seconds is { } value ? $"{value * 1e6:F1}" : "-";

    private static string Ratio(double? numerator, double? denominator)
        => numerator is { } n && denominator is { } d ? $"{n / d:F2}" : "-";

    private void MeasureLayer(Peak peak, MatrixPrecision precision, int outputs, int inputs)
    {
        using var own = new BenchmarkLayer(device, new CudaOptions { Precision = precision, UseGraphs = false }, outputs, inputs);
        using BenchmarkLayer? withCublasLt = WithCublasLt(precision, outputs, inputs);
        foreach (int tokens in _tokens)
        {
            string cell = $"{Name(precision)}, {outputs}x{inputs}, {tokens} tokens";
            _cells.Run(cell, () => MeasureCell(peak, precision, $"{outputs}x{inputs}", tokens, own, withCublasLt, cell));
        }
    }

    private void MeasureCell(
        Peak peak, MatrixPrecision precision, string shape, int tokens, BenchmarkLayer own, BenchmarkLayer? withCublasLt, string cell)
    {
        (double dense, double routed) = own.Measure(tokens, Seconds);
        (double Alone, double Dense, double Routed)? cublas = null;
        if (withCublasLt is not null && _noCublasLt is null && !_cells.Run($"{cell}, cuBLASLt", () =>
            {
                (double Dense, double Routed) both = withCublasLt.Measure(tokens, Seconds);
                double alone = precision == MatrixPrecision.Tf32 ? both.Dense : withCublasLt.MeasureProduct(tokens, Seconds);
                cublas = (alone, both.Dense, both.Routed);
            }))
        {
            _noCublasLt = $"it failed at {cell}, and was not tried again.";
        }

        double best = Math.Min(routed, cublas?.Routed ?? routed);
        (double Dense, double Loop)? torch = _torch.TryGetValue($"{Name(precision)} {shape} {tokens}", out (double, double) found) ? found : null;
        figures.Write(
            $"| {Name(precision)} | {shape} | {tokens} | {Microseconds(own.Bound(peak, tokens))} | {Microseconds(cublas?.Alone)} | {Microseconds(cublas?.Dense)} "
            + $"| {Microseconds(dense)} | {Microseconds(routed)} | {Microseconds(cublas?.Routed)} | {Ratio(best, cublas?.Dense)} | {Ratio(best, cublas?.Alone)} "
            + $"| {Microseconds(torch?.Dense)} | {Microseconds(torch?.Loop)} | {Ratio(torch?.Loop, best)} |");
    }

    private BenchmarkLayer? WithCublasLt(MatrixPrecision precision, int outputs, int inputs)
    {
        if (_noCublasLt is not null)
        {
            return null;
        }

        try
        {
            return new BenchmarkLayer(
                device,
                new CudaOptions
                {
                    Precision = precision,
                    UseCublasLt = true,
                    CublasLtPath = Environment.GetEnvironmentVariable("CUBLASLT"),
                    UseGraphs = false,
                },
                outputs,
                inputs);
        }
        catch (SmileException exception)
        {
            _noCublasLt = exception.Message;
            return null;
        }
    }

    private void MeasureGraphs(int outputs, int inputs)
    {
        using var eager = new BenchmarkLayer(device, new CudaOptions { Precision = MatrixPrecision.BFloat16, UseGraphs = false }, outputs, inputs);
        using var graphs = new BenchmarkLayer(device, new CudaOptions { Precision = MatrixPrecision.BFloat16 }, outputs, inputs);
        foreach (int tokens in _tokens[..2])
        {
            _cells.Run($"graphs, {outputs}x{inputs}, {tokens} tokens", () =>
            {
                (double one, double all) = (eager.MeasureChain(tokens), graphs.MeasureChain(tokens));
                figures.Write($"| bf16 | {outputs}x{inputs} | {tokens} | {Microseconds(one)} | {Microseconds(all)} | {one / all:F2} |");
            });
        }
    }
}
