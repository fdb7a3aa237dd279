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
        command.Subcommands.Add(Create("fuse", "Measures fusing one linear layer.", Fuse));
        command.Subcommands.Add(Create("forward", "Measures a linear layer, plain and routed, and their ratio.", Forward));
        return command;
    }

    private static Command Create(string name, string description, Func<LayerBenchmark, int, Compute.ComputeOptions, CancellationToken, string> measure)
    {
        Option<int> outputs = FusionArguments.Positive("--out-features", "Output features of the layer.", 3072);
        Option<int> inputs = FusionArguments.Positive("--in-features", "Input features of the layer.", 768);
        Option<int> experts = FusionArguments.Positive("--experts", "Number of experts.", 8);
        Option<int> tokens = FusionArguments.Positive("--tokens", "Rows of the input (forward).", 1600);
        var fusion = new FusionArguments();
        var compute = new ComputeArguments();
        var command = new Command(name, description) { outputs, inputs, experts, tokens };
        fusion.AddTo(command);
        compute.AddTo(command, withThreads: false);
        command.SetAction((parsed, cancellation) => Task.Run(
            () =>
            {
                SmileFusionOptions options = fusion.Read(parsed);
                int count = parsed.GetValue(experts);
                using var benchmark = new LayerBenchmark(parsed.GetValue(outputs), parsed.GetValue(inputs), count, options);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{parsed.GetValue(outputs)} x {parsed.GetValue(inputs)}, {count} experts, {options.Threads ?? Environment.ProcessorCount} threads"));
                Console.WriteLine(measure(benchmark, parsed.GetValue(tokens), compute.Read(parsed) with { Threads = options.Threads }, cancellation));
                return 0;
            },
            CancellationToken.None));
        return command;
    }

    private static string Fuse(LayerBenchmark benchmark, int tokens, Compute.ComputeOptions compute, CancellationToken cancellation)
        => Line("fuse", benchmark.Fuse(cancellation), 1e3, "ms");

    private static string Forward(LayerBenchmark benchmark, int tokens, Compute.ComputeOptions compute, CancellationToken cancellation)
    {
        (Timing plain, Timing routed, Timing ratio) = benchmark.Forward(tokens, compute, cancellation);
        return string.Join(
            Environment.NewLine, $"{tokens} tokens", Line("plain", plain, 1e3, "ms"), Line("routed", routed, 1e3, "ms"), Line("ratio", ratio, 1, ""));
    }

    private static string Line(string name, Timing timing, double unit, string unitName) => string.Create(
        CultureInfo.InvariantCulture,
        $"{name,-7} median {timing.Median * unit,9:F3} {unitName}  ({timing.Minimum * unit:F3} to {timing.Maximum * unit:F3})");
}
