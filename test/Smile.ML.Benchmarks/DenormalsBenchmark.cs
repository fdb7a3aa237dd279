using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Runs a perceptron on ordinary values and on values below float32's normal range, which some processors multiply much slower; .NET cannot
/// tell the processor to take them for zero.
/// </summary>
internal static class DenormalsBenchmark
{
    private const int Width = 768;
    private const int Rows = 256;
    private const int Rounds = 15;
    private const float Denormal = 1e-41f;

    public static Command Create()
    {
        var folder = new Option<string>("--folder") { Description = "Where the model is written.", Required = true };
        var command = new Command("denormals", "Times a layer of 768 x 768 over ordinary and over denormal values.") { folder };
        command.SetAction(parsed => Run(parsed.GetValue(folder)!));
        return command;
    }

    private static void Run(string folder)
    {
        foreach ((string weights, float weightScale) in new[] { ("ordinary", 0.05f), ("denormal", Denormal) })
        {
            string path = Path.Combine(folder, $"mlp-{weights}");
            Write(path, weightScale);
            using SmileModel model = SmileModel.Load(path, new ComputeOptions { Threads = 1 });
            foreach ((string inputs, float inputScale) in new[] { ("ordinary", 1f), ("denormal", Denormal) })
            {
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"{weights} weights, {inputs} inputs {Time(model, inputScale).TotalMilliseconds,10:F2} ms"));
            }
        }
    }

    private static void Write(string folder, float scale)
    {
        var random = new Random(1);
        using CheckpointWriter writer = CheckpointWriter.Create(folder, [new TensorInfo("layers.0.weight", TensorType.F32, [Width, Width])], overwrite: true);
        writer.WriteTensor("layers.0.weight", TensorType.F32, [Width, Width], Values(random, Width * Width, scale));
        writer.SetConfig(ModelConfig.Parse("""{"model_type":"mlp","hidden_act":"relu"}""", folder));
        writer.Commit();
    }

    private static float[] Values(Random random, int count, float scale)
        => [.. Enumerable.Range(0, count).Select(_ => scale * ((2 * random.NextSingle()) - 1))];

    /// <summary>The fastest of several rounds, which other work on the machine disturbs least.</summary>
    private static TimeSpan Time(SmileModel model, float scale)
    {
        var inputs = new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([Rows, Width], Values(new Random(2), Rows * Width, scale)) };
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            model.Run(inputs);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            best = elapsed < best ? elapsed : best;
        }

        return best;
    }
}
