using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Smile.ML.Fusion;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Fuses decoder layers of a large language model's shapes from files, and tells the seconds per layer, the peak of the memory that is
/// not mapped files, and what the whole model would take.
/// </summary>
internal static class OutOfCoreBenchmark
{
    public static Command Create()
    {
        var folder = new Option<string>("--folder") { Description = "Where the models are written, and found again by the next run.", Required = true };
        var layers = new Option<int>("--layers") { Description = "Decoder layers to synthesise.", DefaultValueFactory = _ => 1 };
        var whole = new Option<int>("--of") { Description = "Decoder layers of the whole model.", DefaultValueFactory = _ => 32 };
        var vocabulary = new Option<int>("--vocabulary") { Description = "Tokens: rows of the embedding and of the head.", DefaultValueFactory = _ => 256 };
        var deltaRank = new Option<int>("--delta-rank") { Description = "Rank of what fine-tuning changed, noise aside.", DefaultValueFactory = _ => 64 };
        var experts = new Option<int>("--experts") { Description = "Fine-tuned models to synthesise.", DefaultValueFactory = _ => 3 };
        var expertRank = new Option<int>("--expert-rank") { Description = "k.", DefaultValueFactory = _ => 32 };
        var routerRank = new Option<int>("--router-rank") { Description = "k_gate.", DefaultValueFactory = _ => 8 };
        var threads = new Option<int?>("--threads") { Description = "Threads to compute with." };
        var maxMemory = new Option<long?>("--max-memory") { Description = "Limit of the working memory, in MiB." };
        var command = new Command("out-of-core", "Fuses layers of Mistral-7B's shapes from synthetic bfloat16 models.")
        {
            folder, layers, whole, vocabulary, experts, deltaRank, expertRank, routerRank, threads, maxMemory,
        };
        command.SetAction(parsed =>
        {
            var models = new SyntheticMistral(parsed.GetValue(layers), parsed.GetValue(vocabulary), parsed.GetValue(deltaRank));
            string pool = models.WritePool(parsed.GetValue(folder)!, parsed.GetValue(experts));
            var options = new SmileFusionOptions
            {
                ExpertRank = parsed.GetValue(expertRank),
                RouterRank = parsed.GetValue(routerRank),
                Threads = parsed.GetValue(threads),
                MaxMemory = parsed.GetValue(maxMemory) << 20,
                Precision = StoredPrecision.BF16,
            };
            Measure(pool, Path.Combine(parsed.GetValue(folder)!, "fused"), options, (double)parsed.GetValue(whole) / parsed.GetValue(layers));
        });
        return command;
    }

    /// <summary>Fuses and prints; on a machine with other work the processor time tells more than the seconds.</summary>
    private static void Measure(string poolFolder, string output, SmileFusionOptions options, double share)
    {
        using ModelPool pool = ModelPool.Open(poolFolder);
        using var memory = new AnonymousMemory();
        using var process = Process.GetCurrentProcess();
        TimeSpan processor = process.TotalProcessorTime;
        var clock = Stopwatch.StartNew();
        var layers = new LayerClock(clock);
        FusionReport report = new SmileFusion(options).Fuse(pool, output, overwrite: true, layers);
        process.Refresh();
        processor = process.TotalProcessorTime - processor;
        CultureInfo culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(culture, $"all              {report.Elapsed.TotalSeconds,8:F2} s, of which decoder layers {layers.DecoderSeconds:F2} s"));
        Console.WriteLine(string.Create(culture, $"processor time   {processor.TotalSeconds,8:F2} s over all threads"));
        Console.WriteLine(string.Create(culture, $"extrapolated     {layers.DecoderSeconds * share,8:F1} s for all decoder layers"));
        Console.WriteLine(string.Create(culture, $"peak anonymous   {memory.PeakBytes / 1048576.0,8:F0} MiB"));
    }

    /// <summary>Prints the seconds of each layer as it is done.</summary>
    private sealed class LayerClock(Stopwatch clock) : IProgress<FusionProgress>
    {
        private double _last;

        public double DecoderSeconds { get; private set; }

        public void Report(FusionProgress value)
        {
            double now = clock.Elapsed.TotalSeconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{value.Layer,-40} {now - _last,8:F2} s"));
            DecoderSeconds += value.Layer == SyntheticMistral.Head ? 0 : now - _last;
            _last = now;
        }
    }
}
