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
    private string? _noCublasLt;

    public void Run()
    {
        Peak peak = Peak.Of(device);
        (long free, long total) = device.Memory();
        figures.Write($"# {device.Model}, {DateTime.UtcNow:yyyy-MM-dd}");
        figures.Write(string.Empty);
        figures.Write(
            $"{device.Multiprocessors} multiprocessors, {total >> 20} MiB. By what the driver says of its clocks: {peak.BFloat16 / 1e12:F0} TFLOP/s bf16, "
            + $"{peak.Tf32 / 1e12:F0} tf32, {peak.Bytes / 1e9:F0} GB/s; the bound is the larger of the two times at these rates, everything read and written once.");
        figures.Write("8 experts of rank 32, router rank 16, one expert a token; inputs and results float32, but PyTorch's bf16 has both in bf16. Times in microseconds, medians.");
        figures.Write(string.Empty);
        figures.Write("## Layers");
        figures.Write(string.Empty);
        figures.Write("| precision | out x in | tokens | bound | dense, cuBLASLt | dense, own | routed, own | routed, cuBLASLt and own | best / cuBLASLt | PyTorch dense | PyTorch loop | loop / best |");
        figures.Write("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (MatrixPrecision precision in (MatrixPrecision[])[MatrixPrecision.BFloat16, MatrixPrecision.Tf32])
        {
            foreach ((int outputs, int inputs) in _shapes)
            {
                MeasureLayer(peak, precision, outputs, inputs);
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
            MeasureGraphs(outputs, inputs);
        }
    }

    private static Dictionary<string, (double Dense, double Loop)> ReadTorch(string? file)
        => file is null || !File.Exists(file) ? [] : File.ReadLines(file).Select(line => line.Split('\t')).ToDictionary(
            cells => $"{cells[0]} {cells[1]} {cells[2]}",
            cells => (double.Parse(cells[3], CultureInfo.InvariantCulture), double.Parse(cells[4], CultureInfo.InvariantCulture)));

    private static string Microseconds(double? seconds) => seconds is { } value ? $"{value * 1e6:F1}" : "-";

    private static string Ratio(double? numerator, double? denominator)
        => numerator is { } n && denominator is { } d ? $"{n / d:F2}" : "-";

    private void MeasureLayer(Peak peak, MatrixPrecision precision, int outputs, int inputs)
    {
        using var own = new BenchmarkLayer(device, new CudaOptions { Precision = precision }, outputs, inputs);
        using BenchmarkLayer? withCublasLt = WithCublasLt(precision, outputs, inputs);
        foreach (int tokens in _tokens)
        {
            (double dense, double routed) = own.Measure(tokens, Seconds);
            (double Dense, double Routed)? cublas = withCublasLt?.Measure(tokens, Seconds);
            double best = Math.Min(routed, cublas?.Routed ?? routed);
            string name = precision == MatrixPrecision.Tf32 ? "tf32" : "bf16";
            (double Dense, double Loop)? torch = _torch.TryGetValue($"{name} {outputs}x{inputs} {tokens}", out (double, double) found) ? found : null;
            figures.Write(
                $"| {name} | {outputs}x{inputs} | {tokens} | {Microseconds(own.Bound(peak, tokens))} | {Microseconds(cublas?.Dense)} | {Microseconds(dense)} | "
                + $"{Microseconds(routed)} | {Microseconds(cublas?.Routed)} | {Ratio(best, cublas?.Dense)} | {Microseconds(torch?.Dense)} | "
                + $"{Microseconds(torch?.Loop)} | {Ratio(torch?.Loop, best)} |");
        }
    }

    private BenchmarkLayer? WithCublasLt(MatrixPrecision precision, int outputs, int inputs)
    {
        try
        {
            return new BenchmarkLayer(
                device,
                new CudaOptions { Precision = precision, UseCublasLt = true, CublasLtPath = Environment.GetEnvironmentVariable("CUBLASLT") },
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
            (double one, double all) = (eager.MeasureChain(tokens), graphs.MeasureChain(tokens));
            figures.Write($"| bf16 | {outputs}x{inputs} | {tokens} | {Microseconds(one)} | {Microseconds(all)} | {one / all:F2} |");
        }
    }
}
