using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Pipeline;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Reliability;

/// <summary>
/// One model under many threads, with the model disposed and runs cancelled in the middle: each result is bit for bit the serial one, or
/// there is none. <c>SMILE_CONCURRENCY_SECONDS</c> sets how long each test goes on.
/// </summary>
[TestClass]
[DoNotParallelize]
public sealed class ConcurrencyTests : PipelineTest
{
    private const int Threads = 64;
    private static readonly float[][] Rows = TinyModels.Rows(64, TinyModels.MlpInputs);

    private static TimeSpan Length
        => TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("SMILE_CONCURRENCY_SECONDS") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : 2);

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void ModelsRunByManyThreadsAreRightUntilTheyAreDisposed(int workers)
    {
        string folder = Path.Combine(Folder, "fused");
        Fuse(folder);
        float[][] expected;
        using (SmileModel serial = SmileModel.Load(folder, new ComputeOptions { Threads = 1 }))
        {
            expected = Run(serial, Rows);
        }

        long completed = 0, cancelled = 0, disposed = 0;
        DateTime end = DateTime.UtcNow + Length;
        while (DateTime.UtcNow < end)
        {
            var model = SmileModel.Load(folder, new ComputeOptions { Threads = workers });
            Task races = OnManyThreads(thread =>
            {
                var random = new Random(thread);
                try
                {
                    while (true)
                    {
                        int first = random.Next(Rows.Length), count = random.Next(1, Rows.Length - first + 1);
                        using var source = new CancellationTokenSource();
                        bool cancels = random.Next(4) == 0;
                        if (cancels)
                        {
                            source.CancelAfter(TimeSpan.FromMicroseconds(random.Next(200)));
                        }

                        try
                        {
                            HostTensor input = HostTensor.FromFloats([count, TinyModels.MlpInputs], [.. Rows[first..(first + count)].SelectMany(row => row)]);
                            float[] found = model.Run(new Dictionary<string, HostTensor> { ["x"] = input }, cancellationToken: source.Token)["output"].Floats!;
                            AssertSameBits(expected[first..(first + count)], [.. found.Chunk(TinyModels.MlpOutputs)]);
                            Interlocked.Increment(ref completed);
                        }
                        catch (OperationCanceledException) when (cancels)
                        {
                            Interlocked.Increment(ref cancelled);
                        }
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref disposed);
                }
            });
            long before = Volatile.Read(ref completed);
            SpinWait.SpinUntil(() => Volatile.Read(ref completed) > before + 500 || races.IsCompleted);
            model.Dispose();
            races.Wait();
        }

        Console.WriteLine($"{completed} runs as in serial, {cancelled} cancelled, {disposed} refused by disposed models");
        Assert.IsTrue(completed > 0 && disposed >= Threads, $"{completed} {disposed}");
    }

    [TestMethod]
    public void CursorsOfManyThreadsAreRightUntilTheTransformerIsDisposed()
    {
        float[][] expected;
        using (SmileTransformer serial = Fit(Options))
        {
            expected = Column(serial.Transform(Load(Rows)), "Embedding");
        }

        DateTime end = DateTime.UtcNow + Length;
        long read = 0, disposed = 0;
        while (DateTime.UtcNow < end)
        {
            SmileTransformer transformer = Fit(Options);
            Task races = OnManyThreads(thread =>
            {
                try
                {
                    while (true)
                    {
                        IDataView scored = transformer.Transform(Load(Rows));
                        DataViewSchema.Column column = scored.Schema["Embedding"];
                        foreach (DataViewRowCursor cursor in scored.GetRowCursorSet([column], 1 + (thread % 4)))
                        {
                            using (cursor)
                            {
                                ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(column);
                                VBuffer<float> value = default;
                                while (cursor.MoveNext())
                                {
                                    get(ref value);
                                    AssertSameBits([expected[cursor.Position]], [[.. value.DenseValues()]]);
                                    Interlocked.Increment(ref read);
                                }
                            }
                        }
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref disposed);
                }
            });
            long before = Volatile.Read(ref read);
            SpinWait.SpinUntil(() => Volatile.Read(ref read) > before + 2000 || races.IsCompleted);
            transformer.Dispose();
            races.Wait();
        }

        Console.WriteLine($"{read} rows as in serial, {disposed} threads refused by disposed transformers");
        Assert.IsTrue(read > 0 && disposed >= Threads, $"{read} {disposed}");
    }

    [TestMethod]
    public void TenThousandPredictionsLeaveNothingBehind()
    {
        if (!Directory.Exists("/proc/self/fd"))
        {
            Assert.Inconclusive("Counts handles and memory in /proc.");
        }

        using SmileTransformer transformer = Fit(Options);
        using PredictionEngine<Pixels, Embedding> engine = Ml.Model.CreatePredictionEngine<Pixels, Embedding>(transformer, new PredictionEngineOptions { OwnsTransformer = false });
        Predict(1000);
        (int handles, long managed, long native) = Held();
        Predict(10_000);
        (int handlesAfter, long managedAfter, long nativeAfter) = Held();

        Console.WriteLine($"handles {handles} -> {handlesAfter}, managed bytes {managed} -> {managedAfter}, anonymous resident bytes {native} -> {nativeAfter}");
        Assert.IsLessThanOrEqualTo(handles, handlesAfter);

        // A leak of one small array or native block each would be a megabyte and more.
        Assert.IsLessThan(managed + 500_000, managedAfter);
        Assert.IsLessThan(native + (16 << 20), nativeAfter);

        void Predict(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Assert.HasCount(TinyModels.MlpOutputs, engine.Predict(new Pixels { Values = Rows[i % Rows.Length] }).Values);
            }
        }
    }

    private static (int Handles, long Managed, long Native) Held()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        string line = File.ReadLines("/proc/self/status").First(text => text.StartsWith("RssAnon:", StringComparison.Ordinal));
        return (Directory.GetFiles("/proc/self/fd").Length, managed, 1024 * long.Parse(line.AsSpan()["RssAnon:".Length..^" kB".Length].Trim(), CultureInfo.InvariantCulture));
    }

    /// <summary>Runs on threads of their own; the task ends with the last one and has the failures of all.</summary>
    private static Task OnManyThreads(Action<int> run)
        => Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Factory.StartNew(
            () => run(thread), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    private sealed class Pixels
    {
        [ColumnName("Pixels")]
        [VectorType(TinyModels.MlpInputs)]
        public float[] Values { get; set; } = [];
    }

    private sealed class Embedding
    {
        [ColumnName("Embedding")]
        public float[] Values { get; set; } = [];
    }
}
