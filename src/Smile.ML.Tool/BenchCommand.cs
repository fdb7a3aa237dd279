using System.CommandLine;
using System.Globalization;
using Smile.ML.Analysis;
using Smile.ML.Fusion;

namespace Smile.ML.Tool;

/// <summary><c>smile bench</c>: measures this machine on one layer.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var command = new Command("bench", "Measures this machine: fusing a layer, or running it plain and routed.");
        command.Subcommands.Add(Create("fuse", "Measures fusing one linear layer.", readsInput: false, Fuse));
        command.Subcommands.Add(Create("forward", "Measures a linear layer, plain and routed, and their ratio.", readsInput: true, Forward));
        return command;
    }

    private static Command Create(string name, string description, bool readsInput, Func<LayerBenchmark, int, Compute.ComputeOptions, CancellationToken, string> measure)
    {
        Option<int> outputs = Arguments.Number("--out-features", "Output features of the layer.", 3072);
        Option<int> inputs = Arguments.Number("--in-features", "Input features of the layer.", 768);
        Option<int> experts = Arguments.Number("--experts", "Number of experts.", 8);
        Option<int> tokens = Arguments.Number("--tokens", "Rows of the input (forward).", 1600);
        var fusion = new FusionArguments();
        var compute = new ComputeArguments();
        var command = new Command(name, description) { outputs, inputs, experts, tokens };
        fusion.AddTo(command);
        compute.AddTo(command, withThreads: false);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                SmileFusionOptions options = fusion.Read(parsed);
                int count = parsed.GetValue(experts);
                (int rows, int columns) = (parsed.GetValue(outputs), parsed.GetValue(inputs));
                RequireArray((long)rows * columns, $"--out-features {rows} and --in-features {columns}");
                FusionArguments.RequireExperts(options.ExpertsPerToken, count);
                if (readsInput)
                {
                    long batch = parsed.GetValue(tokens);
                    string what = $"--tokens {batch} and a layer of {rows} x {columns}";
                    RequireArray(batch * Math.Max(rows, columns), what);

                    // The input, as it is made and where it is read, and one output.
                    RequireMemory(((2 * batch * columns) + (batch * rows)) * sizeof(float), what);
                }
                else if (new Option[] { tokens, compute.Device }.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } unused)
                {
                    Console.Error.WriteLine($"{unused.Name} changes nothing here: fusing runs on the CPU and takes no input.");
                }

                using var benchmark = new LayerBenchmark(parsed.GetValue(outputs), parsed.GetValue(inputs), count, options);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{parsed.GetValue(outputs)} x {parsed.GetValue(inputs)}, {count} experts, {options.Threads ?? Environment.ProcessorCount} threads"));
                Console.WriteLine(measure(benchmark, parsed.GetValue(tokens), compute.Read(parsed) with { Threads = options.Threads }, cancellationToken));
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static void RequireArray(long values, string what)
    {
        if (values > Array.MaxLength)
        {
            throw new UsageException($"{what} make {values} values; expected at most {Array.MaxLength}.");
        }
    }

    /// <summary>Refuses what the system would end the process for.</summary>
    private static void RequireMemory(long bytes, string what)
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
        {
            throw new UsageException($"{what} take {bytes} bytes of memory; expected at most the {available} that there are.");
        }
    }

    private static string Fuse(LayerBenchmark benchmark, int tokens, Compute.ComputeOptions compute, CancellationToken cancellationToken)
        => Line("fuse", benchmark.Fuse(cancellationToken), 1e3, "ms");

    private static string Forward(LayerBenchmark benchmark, int tokens, Compute.ComputeOptions compute, CancellationToken cancellationToken)
    {
        (Timing plain, Timing routed, Timing ratio) = benchmark.Forward(tokens, compute, cancellationToken);
        return string.Join(
            Environment.NewLine, $"{tokens} tokens", Line("plain", plain, 1e3, "ms"), Line("routed", routed, 1e3, "ms"), Line("ratio", ratio, 1, ""));
    }

    private static string Line(string name, Timing timing, double unit, string unitName) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name,-7} median {timing.Median * unit,9:F3} {unitName}  ({timing.Minimum * unit:F3} to {timing.Maximum * unit:F3})");
}
