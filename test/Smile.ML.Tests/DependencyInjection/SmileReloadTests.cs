using Microsoft.Extensions.Logging;
using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.DependencyInjection;

[TestClass]
public sealed class SmileReloadTests : PredictorTest
{
    [TestMethod]
    public async Task ReloadingUnderLoadLosesNothing()
    {
        const int Callers = 16, Reloads = 8, RequestsBetween = 40;
        (string first, string second) = WriteModels();
        using SmileModel expectedFirst = SmileModel.Load(first), expectedSecond = SmileModel.Load(second);
        var loaded = new List<ObservedModel>();
        var predictor = new SmilePredictor("test", Options(), Load, Metrics, Logger, Time);
        int answered = 0;
        bool done = false;

        // Every caller asks on and on; each answer must be exactly one of the two models'.
        Task[] callers = [.. Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            Dictionary<string, HostTensor> inputs = Rows(caller);
            float[] fromFirst = Expected(expectedFirst, inputs), fromSecond = Expected(expectedSecond, inputs);
            while (!Volatile.Read(ref done))
            {
                float[] output = await OutputAsync(predictor, inputs);
                Assert.IsTrue(output.SequenceEqual(fromFirst) || output.SequenceEqual(fromSecond));
                Interlocked.Increment(ref answered);
            }
        }))];
        for (int reload = 1; reload <= Reloads; reload++)
        {
            int before = Volatile.Read(ref answered);
            while (Volatile.Read(ref answered) < before + RequestsBetween && !callers.Any(caller => caller.IsCompleted))
            {
                await Task.Yield();
            }

            await predictor.ReloadAsync();
            CollectionAssert.AreEqual(Expected(reload % 2 == 0 ? expectedFirst : expectedSecond, Rows(99)), await OutputAsync(predictor, Rows(99)));
        }

        Volatile.Write(ref done, true);
        await Task.WhenAll(callers);
        await predictor.DisposeAsync();
        Assert.HasCount(Reloads + 1, loaded);
        Assert.IsTrue(loaded.All(model => model.IsFreed));

        ObservedModel Load()
        {
            loaded.Add(new ObservedModel(SmileModel.Load(loaded.Count % 2 == 0 ? first : second)));
            return loaded[^1];
        }
    }

    [TestMethod]
    public async Task ARunEndsWithTheModelItBeganWith()
    {
        (string first, string second) = WriteModels();
        using SmileModel expectedFirst = SmileModel.Load(first), expectedSecond = SmileModel.Load(second);
        var models = new Queue<ObservedModel>([new ObservedModel(SmileModel.Load(first)).Hold(), new ObservedModel(SmileModel.Load(second))]);
        ObservedModel old = models.Peek();
        await using var predictor = new SmilePredictor("test", Options(), models.Dequeue, Metrics, Logger, Time);

        Task<float[]> running = OutputAsync(predictor, Rows(1));
        await old.EnteredAsync();
        Time.Advance(TimeSpan.FromHours(1));
        await predictor.ReloadAsync();
        Task<float[]> next = OutputAsync(predictor, Rows(1));
        Assert.IsFalse(old.IsFreed);
        Assert.AreEqual(Time.GetUtcNow(), predictor.Status.LoadedAt);

        old.Open();
        CollectionAssert.AreEqual(Expected(expectedFirst, Rows(1)), await running);
        CollectionAssert.AreEqual(Expected(expectedSecond, Rows(1)), await next);
        Assert.IsTrue(old.IsFreed);
    }

    [TestMethod]
    public async Task AFailedReloadServesTheModelBefore()
    {
        (string folder, _) = WriteModels();
        using var expected = SmileModel.Load(folder);
        SmilePredictorOptions options = new() { ModelFolder = folder, MaxWait = TimeSpan.Zero };
        await using var predictor = new SmilePredictor("test", options, () => ServedModel.Load(options), Metrics, Logger, Time);

        TestPool.Edit(folder, tensors => tensors.Remove("layers.0.weight"));
        SmileException broken = await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.ReloadAsync());
        Assert.AreSame(broken, predictor.Status.ReloadError);
        CollectionAssert.AreEqual(Expected(expected, Rows(1)), await OutputAsync(predictor, Rows(1)));
        (LogLevel level, string message, Exception? exception) = Logger.Entries.Last(entry => entry.Level >= LogLevel.Warning);
        Assert.AreEqual(LogLevel.Error, level);
        StringAssert.Contains(message, $"\"test\": reloading {folder} failed");
        Assert.AreSame(broken, exception);

        // Another width: callers could not go on.
        TensorFile.Write(Path.Combine(folder, "model.safetensors"), new Dictionary<string, HostTensor>
        {
            ["layers.0.weight"] = TestPool.Gaussian(new Random(1), 1, 4, Width + 1),
        });
        SmileException misfit = await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.ReloadAsync());
        StringAssert.Contains(misfit.Message, "x F32 [7] -> output F32 [4]; the one that is served, x F32 [6] -> output F32 [4]");
        CollectionAssert.AreEqual(Expected(expected, Rows(2)), await OutputAsync(predictor, Rows(2)));
    }

    [TestMethod]
    public async Task ChangedFilesAreLoadedOnceTheyAreQuiet()
    {
        (string folder, string source) = WriteModels();
        using SmileModel expectedFirst = SmileModel.Load(folder), expectedSecond = SmileModel.Load(source);
        SmilePredictorOptions options = new() { ModelFolder = folder, MaxWait = TimeSpan.Zero, ReloadOnChange = true };
        int loads = 0;
        await using var predictor = new SmilePredictor("test", options, Load, Metrics, Logger, Time);

        // Something unreadable is tried once; what was loaded stays in service.
        string file = Path.Combine(folder, "model.safetensors");
        await File.WriteAllTextAsync(file, "half a file");
        await PassIntervalsUntil(() => predictor.Status.ReloadError is not null);
        for (int i = 0; i < 5; i++)
        {
            Time.Advance(options.ReloadInterval);
            await Task.Delay(1);
        }

        Assert.AreEqual(2, Volatile.Read(ref loads));
        CollectionAssert.AreEqual(Expected(expectedFirst, Rows(1)), await OutputAsync(predictor, Rows(1)));

        File.Copy(Path.Combine(source, "model.safetensors"), file, overwrite: true);
        await PassIntervalsUntil(() => predictor.Status.ReloadError is null);
        Assert.AreEqual(3, Volatile.Read(ref loads));
        CollectionAssert.AreEqual(Expected(expectedSecond, Rows(1)), await OutputAsync(predictor, Rows(1)));

        ServedModel Load()
        {
            Interlocked.Increment(ref loads);
            return ServedModel.Load(options);
        }

        async Task PassIntervalsUntil(Func<bool> condition)
        {
            while (!condition())
            {
                Time.Advance(options.ReloadInterval);
                await Task.Delay(1);
            }
        }
    }

    [TestMethod]
    public void AFingerprintFollowsLinksAndSeesEveryChange()
    {
        string folder = Directory.CreateDirectory(Folder["one"]).FullName, other = Directory.CreateDirectory(Folder["two"]).FullName;
        string file = Path.Combine(folder, "weights"), target = Folder["target"];
        File.WriteAllText(file, "1234");
        string before = FolderFingerprint.Of(folder);
        Assert.AreEqual(before, FolderFingerprint.Of(folder));

        File.SetLastWriteTimeUtc(file, File.GetLastWriteTimeUtc(file).AddSeconds(1));
        string later = FolderFingerprint.Of(folder);
        Assert.AreNotEqual(before, later);
        Assert.AreNotEqual(later, FolderFingerprint.Of(folder, other));

        File.WriteAllText(target, "1234");
        File.Delete(file);
        File.CreateSymbolicLink(file, target);
        string linked = FolderFingerprint.Of(folder);
        File.SetLastWriteTimeUtc(target, File.GetLastWriteTimeUtc(target).AddSeconds(1));
        Assert.AreNotEqual(linked, FolderFingerprint.Of(folder));

        string current = Folder["current"];
        Directory.CreateSymbolicLink(current, folder);
        string followed = FolderFingerprint.Of(current);
        Directory.Delete(current);
        Assert.AreNotEqual(followed, FolderFingerprint.Of(current), "a folder that is gone");
        Directory.CreateSymbolicLink(current, other);
        Assert.AreNotEqual(followed, FolderFingerprint.Of(current));
    }
}
