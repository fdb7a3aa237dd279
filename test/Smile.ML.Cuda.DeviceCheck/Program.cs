using System.Globalization;
using Smile.ML;
using Smile.ML.Compute;
using Smile.ML.Cuda;
using Smile.ML.Cuda.DeviceCheck;
using Smile.ML.Cuda.Tests.Goldens;
using Smile.ML.Cuda.Tests.Operations;

// device | operations | goldens FOLDER | benchmark: checks and measures the CUDA backend on this machine's first GPU.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    CudaDevice device = CudaDevice.Open("cuda");
    (long free, long total) = device.Memory();
    Console.WriteLine($"{device.Name}: {device.Model}, {free >> 20} of {total >> 20} MiB free");
    return args switch
    {
        ["device"] => 0,
        ["operations"] => Operations(device),
        ["goldens", string folder] => Goldens(folder),
        ["benchmark"] => Benchmark(device),
        _ => Usage(),
    };
}
catch (SmileException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}

static int Usage()
{
    Console.Error.WriteLine("usage: Smile.ML.Cuda.DeviceCheck device | operations | goldens FOLDER | benchmark");
    return 2;
}

static int Operations(CudaDevice device)
{
    int failed = 0, passed = 0;
    foreach (MatrixPrecision precision in Enum.GetValues<MatrixPrecision>())
    {
        using var backend = new CudaBackend(device, new CudaOptions { Precision = precision, CheckMemory = true });
        foreach (OperationCase operation in OperationCase.All.Where(operation => operation.UsesPrecision || precision == MatrixPrecision.Full))
        {
            try
            {
                operation.Run(backend, precision);
                passed++;
            }
            catch (OperationFailedException exception)
            {
                failed++;
                Console.WriteLine($"FAILED {operation.Name}, {precision}: {exception.Message}");
            }
        }
    }

    Console.WriteLine($"operations: {passed} passed, {failed} failed");
    return failed == 0 ? 0 : 1;
}

static int Goldens(string folder)
{
    int failed = 0, passed = 0;
    foreach (string network in Directory.GetDirectories(folder).Where(network => File.Exists(Path.Combine(network, "golden.json"))).Order(StringComparer.Ordinal))
    {
        // Decisions are only sure to be the same where products are exact.
        foreach ((MatrixPrecision precision, double tolerance) in ((MatrixPrecision, double)[])[(MatrixPrecision.Full, 2e-5), (MatrixPrecision.Tf32x3, 1e-4)])
        {
            SmileCuda.Register(new CudaOptions { Precision = precision });
            try
            {
                int models = new GoldenChecks(network, "cuda", tolerance).Run();
                passed++;
                Console.WriteLine($"{Path.GetFileName(network)}, {precision}: {models} models agree within {tolerance}");
            }
            catch (OperationFailedException exception)
            {
                failed++;
                Console.WriteLine($"FAILED {Path.GetFileName(network)}, {precision}: {exception.Message}");
            }
        }
    }

    Console.WriteLine($"goldens: {passed} passed, {failed} failed");
    return failed == 0 && passed > 0 ? 0 : 1;
}

static int Benchmark(CudaDevice device)
{
    Console.WriteLine("| dense by | precision | out x in | tokens | dense ms | TFLOP/s | routed ms | ratio | ratio by operations |");
    Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
    foreach (MatrixPrecision precision in (MatrixPrecision[])[MatrixPrecision.Full, MatrixPrecision.Tf32, MatrixPrecision.BFloat16])
    {
        foreach ((int outputs, int inputs) in ((int, int)[])[(768, 768), (3072, 768), (4096, 4096), (14336, 4096)])
        {
            BenchmarkProducts(device, "own kernels", new CudaOptions { Precision = precision }, outputs, inputs);
            try
            {
                BenchmarkProducts(device, "cuBLASLt", new CudaOptions { Precision = precision, UseCublasLt = true }, outputs, inputs);
            }
            catch (SmileException exception)
            {
                Console.WriteLine($"| cuBLASLt | {precision} | {outputs}x{inputs} | {exception.Message} |");
            }
        }
    }

    return 0;
}

static void BenchmarkProducts(CudaDevice device, string name, CudaOptions options, int outputs, int inputs)
{
    using var layer = new BenchmarkLayer(device, options, outputs, inputs);
    foreach (int tokens in (int[])[1, 64, 4096, 16384])
    {
        (double dense, double routed) = layer.Measure(tokens);
        Console.WriteLine(
            $"| {name} | {options.Precision} | {outputs}x{inputs} | {tokens} | {dense * 1e3:F4} | {2.0 * outputs * inputs * tokens / dense / 1e12:F1} | "
            + $"{routed * 1e3:F4} | {routed / dense:F2} | {layer.OperationRatio:F2} |");
    }
}
