using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Images per second of a CLIP ViT-B/32-shaped network, plain and routed: one row at a time against batches, in ML.NET and with many
/// concurrent callers. Everything is measured in turns, so that what else the machine does meets all alike; and in processor time, which
/// a busy machine changes less.
/// </summary>
internal static class ThroughputBenchmark
{
    // The blocks of a cursor up to its batch size: 1 + 2 + 4 + ... + 64.
    private const int Rows = 127;
    private const int SingleRows = 12;
    private const int Batch = 64;

    // Multiplications and additions of the linear layers and the attention of an image.
    private const double Operations = 2.0 * ((50 * (12 * (4.0 * 768 * 768 + 2.0 * 768 * 3072) + (2.0 * 12 * 50 * 768))) + (49 * 768.0 * 3072) + (768 * 512));

    public static Command Create()
    {
        var folder = new Option<string>("--folder") { Description = "Where the models are written, and found again by the next run.", Required = true };
        var experts = new Option<int>("--experts") { Description = "Experts of the routed network.", DefaultValueFactory = _ => 8 };
        var callers = new Option<int>("--callers") { Description = "Concurrent callers.", DefaultValueFactory = _ => 64 };
        var rounds = new Option<int>("--rounds") { Description = "How often everything is measured.", DefaultValueFactory = _ => 3 };
        var threads = new Option<int?>("--threads") { Description = "Threads to compute with." };
        var command = new Command("throughput", "Images per second of a CLIP ViT-B/32-shaped network: single rows, batches, concurrent callers.")
        {
            folder, experts, callers, rounds, threads,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            (string name, string model)[] models =
            [
                ("plain", SyntheticClip.WritePlain(parsed.GetValue(folder)!)),
                ($"routed, {parsed.GetValue(experts)} experts of rank 32", SyntheticClip.WriteRouted(parsed.GetValue(folder)!, parsed.GetValue(experts))),
            ];
            foreach ((string name, string model) in models)
            {
                Console.WriteLine($"{name}:");
                await MeasureAsync(model, parsed.GetValue(callers), parsed.GetValue(rounds), parsed.GetValue(threads), cancellation).ConfigureAwait(false);
            }
        });
        return command;
    }

    private static async Task MeasureAsync(string folder, int callers, int rounds, int? threads, CancellationToken cancellation)
    {
        var compute = new ComputeOptions { Threads = threads };
        var random = new Random(0);
        Image[] images = [.. Enumerable.Range(0, Rows).Select(_ => new Image { Pixels = Draw(random) })];
        var ml = new MLContext(seed: 0);
        IDataView data = ml.Data.LoadFromEnumerable(images);
        SmileTransformer transformer = ml.Transforms
            .ApplySmileModel(folder, new() { InputColumnName = nameof(Image.Pixels), BatchSize = Batch, Threads = threads }).Fit(data);
        using PredictionEngine<Image, Embedded> engine = ml.Model.CreatePredictionEngine<Image, Embedded>(transformer);
        IDataView scored = transformer.Transform(data);

        using SmileModel model = SmileModel.Load(folder, compute);
        var batch = Feed(images[..Batch]);
        var single = Feed(images[..1]);

        var services = new ServiceCollection();
        services.AddSmile(options => (options.ModelFolder, options.Threads, options.MaxBatchSize) = (folder, threads, Batch));
        await using ServiceProvider provider = services.BuildServiceProvider();
        ISmilePredictor predictor = provider.GetRequiredService<ISmilePredictor>();

        (string Name, int Rows, Func<Task> Run)[] ways =
        [
            ("PredictionEngine, row by row", SingleRows, Inline(() => RunEngine(engine, images))),
            ($"Transform, batches up to {Batch}", Rows, Inline(() => Read(scored))),
            ($"one PredictionEngine and a lock, {callers} callers", SingleRows, () => RunLockedAsync(engine, images)),
            ($"predictor, {callers} callers", Rows, () => RunPredictorAsync(predictor, images, callers, cancellation)),
            ("the network itself, 1 image", SingleRows, Inline(() => Repeat(SingleRows, () => model.Run(single)))),
            ($"the network itself, {Batch} images", Batch, Inline(() => model.Run(batch, [SyntheticClip.Output]))),
        ];
        var seconds = new List<double>[ways.Length];
        var processor = new List<double>[ways.Length];
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < ways.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                TimeSpan before = Environment.CpuUsage.TotalTime;
                long start = Stopwatch.GetTimestamp();
                await ways[i].Run().ConfigureAwait(false);
                if (round >= 0)
                {
                    (seconds[i] ??= []).Add(Stopwatch.GetElapsedTime(start).TotalSeconds / ways[i].Rows);
                    (processor[i] ??= []).Add((Environment.CpuUsage.TotalTime - before).TotalSeconds / ways[i].Rows);
                }
            }
        }

        for (int i = 0; i < ways.Length; i++)
        {
            Timing wall = new(seconds[i]), cpu = new(processor[i]);
            string ratio = i % 2 == 0
                ? ""
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"; of the line before {Ratio(seconds[i - 1], seconds[i])} times, per processor second {Ratio(processor[i - 1], processor[i])}");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {ways[i].Name}: {1 / wall.Median:F1} images/s (best {1 / wall.Minimum:F1}), {1 / cpu.Median:F1} per processor second "
                + $"(best {1 / cpu.Minimum:F1}, {Operations / cpu.Minimum * 1e-9:F0} GFLOP/s){ratio}"));
        }
    }

    /// <summary>Tells the median over the rounds, and the ratio of the best moments.</summary>
    private static string Ratio(List<double> slow, List<double> fast)
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{new Timing(slow.Zip(fast, (x, y) => x / y)).Median:F2} (best {new Timing(slow).Minimum / new Timing(fast).Minimum:F2})");

    private static Func<Task> Inline(Action action) => () =>
    {
        action();
        return Task.CompletedTask;
    };

    private static void Repeat(int count, Action action)
    {
        for (int i = 0; i < count; i++)
        {
            action();
        }
    }

    private static void RunEngine(PredictionEngine<Image, Embedded> engine, Image[] images)
    {
        var result = new Embedded();
        for (int i = 0; i < SingleRows; i++)
        {
            engine.Predict(images[i], ref result);
        }
    }

    private static void Read(IDataView scored)
    {
        DataViewSchema.Column column = scored.Schema["Embedding"];
        using DataViewRowCursor cursor = scored.GetRowCursor([column]);
        ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(column);
        VBuffer<float> value = default;
        while (cursor.MoveNext())
        {
            get(ref value);
        }
    }

    private static Task RunLockedAsync(PredictionEngine<Image, Embedded> engine, Image[] images)
    {
        var gate = new Lock();
        return Task.WhenAll(Enumerable.Range(0, SingleRows).Select(i => Task.Run(() =>
        {
            lock (gate)
            {
                engine.Predict(images[i]);
            }
        })));
    }

    private static Task RunPredictorAsync(ISmilePredictor predictor, Image[] images, int callers, CancellationToken cancellation)
    {
        int next = -1;
        return Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(
            async () =>
            {
                for (int i; (i = Interlocked.Increment(ref next)) < Rows;)
                {
                    await predictor.PredictAsync(Feed([images[i]]), [SyntheticClip.Output], cancellation).ConfigureAwait(false);
                }
            },
            cancellation)));
    }

    private static Dictionary<string, HostTensor> Feed(Image[] images)
        => new() { [SyntheticClip.Input] = HostTensor.FromFloats([images.Length, 3, 224, 224], [.. images.SelectMany(image => image.Pixels)]) };

    private static float[] Draw(Random random)
    {
        var values = new float[SyntheticClip.Pixels];
        foreach (ref float value in values.AsSpan())
        {
            value = (random.NextSingle() * 2) - 1;
        }

        return values;
    }

    private sealed class Image
    {
        [VectorType(SyntheticClip.Pixels)]
        public float[] Pixels { get; set; } = [];
    }

    private sealed class Embedded
    {
        public float[] Embedding { get; set; } = [];
    }
}
