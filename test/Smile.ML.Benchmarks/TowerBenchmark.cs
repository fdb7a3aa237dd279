using System.CommandLine;
using System.Globalization;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Benchmarks;

/// <summary>A whole network of CLIP ViT-B/32's shapes: fusing fully fine-tuned models, and the fused network's forward pass beside the plain one's.</summary>
internal static class TowerBenchmark
{
    public static Command Create()
    {
        var folder = new Option<string>("--folder") { Description = "Where the models are written (351 MB each), and found again by the next run.", Required = true };
        var experts = new Option<int>("--experts") { Description = "Fine-tuned models.", DefaultValueFactory = _ => 8 };
        var batch = new Option<int>("--batch") { Description = "Images of a forward pass.", DefaultValueFactory = _ => 32 };
        var runs = new Option<int>("--runs") { Description = "How often to fuse.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<double>("--seconds") { Description = "How long to measure forward passes.", DefaultValueFactory = _ => 20 };
        var threads = new Option<int?>("--threads") { Description = "Threads to compute with." };
        var command = new Command("tower", "Fuses models of CLIP ViT-B/32's shapes, and runs the fused network beside the plain one.")
        {
            folder, experts, batch, runs, seconds, threads,
        };
        command.SetAction(parsed =>
        {
            string root = parsed.GetValue(folder)!;
            (string pretrained, string[] tuned) = SyntheticClip.WriteFineTuned(root, parsed.GetValue(experts));
            using ModelPool pool = ModelPool.Open(pretrained, tuned.Select((path, e) => KeyValuePair.Create($"{e}", path)));
            string fused = Path.Combine(root, "clip-b32-fused");
            var fusion = new SmileFusion(new SmileFusionOptions { ExpertRank = 32, RouterRank = 16, Threads = parsed.GetValue(threads) });
            var fusing = new Timing([.. Enumerable.Range(0, parsed.GetValue(runs)).Select(_ => fusion.Fuse(pool, fused, overwrite: true).Elapsed.TotalSeconds)]);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"fusing {tuned.Length} models, reading and writing included: {fusing.Median:F2} s (best {fusing.Minimum:F2})"));
            Forward(pretrained, fused, parsed.GetValue(batch), parsed.GetValue(seconds), new ComputeOptions { Threads = parsed.GetValue(threads) });
        });
        return command;
    }

    private static void Forward(string plainFolder, string fusedFolder, int batch, double seconds, ComputeOptions compute)
    {
        using SmileModel plain = SmileModel.Load(plainFolder, compute);
        using SmileModel fused = SmileModel.Load(fusedFolder, compute);
        var random = new Random(0);
        float[] pixels = [.. Enumerable.Range(0, batch * SyntheticClip.Pixels).Select(_ => (random.NextSingle() * 2) - 1)];
        var images = new Dictionary<string, HostTensor> { [SyntheticClip.Input] = HostTensor.FromFloats([batch, 3, 224, 224], pixels) };
        var times = SideBySide.Measure(seconds, () => plain.Run(images), () => fused.Run(images));
        Console.WriteLine($"batch of {batch}: plain {times.Milliseconds(0)}, fused {times.Milliseconds(1)}; fused over plain {times.Ratio(1, 0)}");
    }
}
