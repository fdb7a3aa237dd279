using System.Globalization;
using Smile.ML;
using Smile.ML.Analysis;
using Smile.ML.Compute;
using Smile.ML.Cuda;
using Smile.ML.Cuda.DeviceCheck;
using Smile.ML.Cuda.Tests.Goldens;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Fusion;

// Checks and measures the CUDA backend on this machine's first GPU; run.sh runs it all.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    CudaDevice device = CudaDevice.Open("cuda");
    (long free, long total) = device.Memory();
    Console.WriteLine($"{device.Name}: {device.Model}, {free >> 20} of {total >> 20} MiB free");
    return args switch
    {
        ["device"] => 0,
        ["operations"] => Operations(device, Enum.GetValues<MatrixPrecision>(), OperationCase.All),
        ["operations", "--quick"] => Operations(device, [MatrixPrecision.Full, MatrixPrecision.Tf32, MatrixPrecision.BFloat16], OperationCase.Quick),
        ["goldens", string folder] => Goldens(folder),
        ["pool", string folder] => Pool(folder),
        ["benchmark", .. string[] options] => Measure(device, options),
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
    Console.Error.WriteLine(
        "usage: Smile.ML.Cuda.DeviceCheck device | operations [--quick] | goldens FOLDER | pool FOLDER | benchmark [--figures FILE] [--torch FILE] [--small]");
    return 2;
}

static int Operations(CudaDevice device, IEnumerable<MatrixPrecision> precisions, IReadOnlyList<OperationCase> operations)
{
    int failed = 0, passed = 0;
    foreach (MatrixPrecision precision in precisions)
    {
        using var backend = new CudaBackend(device, new CudaOptions { Precision = precision, CheckMemory = true, Multiprocessors = 4 });
        foreach (OperationCase operation in operations.Where(operation => operation.UsesPrecision || precision == MatrixPrecision.Full))
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

static int Pool(string folder)
{
    SmileCuda.Register();
    MethodResult[] results = [.. ((string[])["cpu", "cuda"]).Select(device =>
    {
        using ModelPool pool = ModelPool.Open(folder);
        using PoolEvaluation evaluation = PoolEvaluation.Open(
            pool, Path.Combine(folder, "heads"), Path.Combine(folder, "data"), new ComputeOptions { Device = device });
        return evaluation.Smile(new SmileFusionOptions { ExpertRank = 32, RouterRank = 16 });
    })];
    int different = 0;
    foreach ((string task, double expected) in results[0].Accuracy)
    {
        double actual = results[1].Accuracy[task];
        different += expected == actual ? 0 : 1;
        Console.WriteLine($"{task}: {actual:P1} of the images on the GPU, {expected:P1} on the CPU");
    }

    Console.WriteLine($"pool: {results[0].Accuracy.Count - different} tasks as on the CPU, {different} not");
    return different == 0 ? 0 : 1;
}

static int Measure(CudaDevice device, string[] options)
{
    string? Value(string name) => Array.IndexOf(options, name) is >= 0 and int at && at + 1 < options.Length ? options[at + 1] : null;
    new Benchmark(device, new Figures(Value("--figures")), Value("--torch"), options.Contains("--small")).Run();
    return 0;
}
