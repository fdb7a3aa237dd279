using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Smile.ML;
using Smile.ML.Analysis;
using Smile.ML.Compute;
using Smile.ML.Cuda;
using Smile.ML.Cuda.DeviceCheck;
using Smile.ML.Cuda.Interop;
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
        ["kernels"] => Kernels(device),
        ["goldens", string folder] => Goldens(device, folder),
        ["pool", string folder] => Pool(folder),
        ["benchmark", .. string[] options] => Measure(device, options),
        _ => Usage(),
    };
}
catch (Exception exception)
{
    Console.Error.WriteLine($"FAILED {exception.Message}");
    return 1;
}

static int Usage()
{
    Console.Error.WriteLine(
        "usage: Smile.ML.Cuda.DeviceCheck device | operations [--quick] | kernels | goldens FOLDER | pool FOLDER | benchmark [--figures FILE] [--torch FILE] [--small]");
    return 2;
}

static int Operations(CudaDevice device, IEnumerable<MatrixPrecision> precisions, IReadOnlyList<OperationCase> operations)
{
    var checks = new CheckList(device);
    foreach (MatrixPrecision precision in precisions)
    {
        Check(
            new CudaOptions { Precision = precision, CheckMemory = true, Multiprocessors = 4 },
            $"{precision}",
            operations.Where(operation => operation.UsesPrecision || precision == MatrixPrecision.Full));
        checks.Run($"graphs, {precision}", () => GraphReplay.Check(device, new CudaOptions { Precision = precision }));
    }

    // Its kernels depend on the number of rows: that a row is the same alone and in a batch is not asked of it.
    if (MissingCublasLt(device) is { } missing)
    {
        Console.WriteLine($"operations: cuBLASLt is not checked. {missing}");
    }
    else
    {
        foreach (MatrixPrecision precision in (MatrixPrecision[])[MatrixPrecision.Full, MatrixPrecision.Tf32, MatrixPrecision.BFloat16, MatrixPrecision.Float16])
        {
            CudaOptions options = WithCublasLt(precision);
            Check(options with { CheckMemory = true }, $"{precision} by cuBLASLt", ProductCases.Formulas);
            checks.Run($"graphs, {precision} by cuBLASLt", () => GraphReplay.Check(device, options));
        }
    }

    return checks.Finish("operations");

    void Check(CudaOptions options, string what, IEnumerable<OperationCase> cases)
    {
        CudaBackend? backend = null;
        if (checks.Run($"starting, {what}", () => backend = new CudaBackend(device, options)))
        {
            using (backend)
            {
                foreach (OperationCase operation in cases)
                {
                    checks.Run($"{operation.Name}, {what}", () => operation.Run(backend!, options.Precision));
                }
            }
        }
    }
}

static CudaOptions WithCublasLt(MatrixPrecision precision)
    => new() { Precision = precision, UseCublasLt = true, CublasLtPath = Environment.GetEnvironmentVariable("CUBLASLT") };

static string? MissingCublasLt(CudaDevice device)
{
    try
    {
        new CublasLt(device.Context, WithCublasLt(MatrixPrecision.Full).CublasLtPath, MatrixPrecision.Full).Dispose();
        return null;
    }
    catch (SmileException exception)
    {
        return exception.Message;
    }
}

// What the driver's compiler makes of every kernel. Registers that spill cost speed, not results: they are printed and no failure.
static int Kernels(CudaDevice device)
{
    const string Ending = ".ptx";
    var checks = new CheckList(device);
    var spilled = new List<string>();
    Assembly assembly = typeof(CudaDevice).Assembly;
    foreach (string file in assembly.GetManifestResourceNames().Where(name => name.EndsWith(Ending, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
    {
        using Stream resource = assembly.GetManifestResourceStream(file)!;
        using var reader = new StreamReader(resource);
        foreach (Match entry in Regex.Matches(reader.ReadToEnd(), @"\.entry (\w+)"))
        {
            string name = entry.Groups[1].Value;
            checks.Run(name, () =>
            {
                (int registers, int localBytes) = device.Compiled(new CudaKernel(file[..^Ending.Length], name, 1));
                Console.WriteLine($"{name}: {registers} registers, {localBytes} bytes of local memory");
                if (localBytes > 0)
                {
                    spilled.Add($"{name} ({localBytes} bytes)");
                }
            });
        }
    }

    Console.WriteLine($"kernels: {(spilled.Count == 0 ? "none uses" : string.Join(", ", spilled) + " use")} local memory");
    return checks.Finish("kernels");
}

static int Goldens(CudaDevice device, string folder)
{
    var checks = new CheckList(device);
    foreach (string network in Directory.GetDirectories(folder).Where(network => File.Exists(Path.Combine(network, "golden.json"))).Order(StringComparer.Ordinal))
    {
        // Decisions are only sure to be the same where products are exact.
        foreach ((MatrixPrecision precision, double tolerance) in ((MatrixPrecision, double)[])[(MatrixPrecision.Full, 2e-5), (MatrixPrecision.Tf32x3, 1e-4)])
        {
            SmileCuda.Register(new CudaOptions { Precision = precision });
            checks.Run($"{Path.GetFileName(network)}, {precision}", () =>
            {
                int models = new GoldenChecks(network, "cuda", tolerance).Run();
                Console.WriteLine($"{Path.GetFileName(network)}, {precision}: {models} models agree within {tolerance}");
            });
        }
    }

    return checks.Finish("goldens");
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
    return new Benchmark(device, new Figures(Value("--figures")), Value("--torch"), options.Contains("--small")).Run();
}
