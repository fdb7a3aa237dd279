using System.Diagnostics;
using System.Globalization;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>
/// The fuzzer: files made hostile by seeded mutation are read, and every one must either be refused by an error that names the file or be
/// read correctly, in bounded time and memory. <c>SMILE_FUZZ_CASES</c>, <c>SMILE_FUZZ_SEED</c> and <c>SMILE_FUZZ_FIRST</c> set how many cases
/// are run, from which seed and from which case on; a failure tells the values that run it again alone.
/// </summary>
[TestClass]
[DoNotParallelize]
public sealed class HostileFilesTests
{
    // What one case may take. The inputs are a few kilobytes; nothing they say may cost more. The time is the processor's, whatever else the machine does.
    private const long MaxAllocatedBytes = 64 << 20;
    private const long MaxAddressSpaceBytes = 512 << 20;
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(20);

    // A case that waits for something takes no processor time, and never ends.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(10);

    private const int MaxFailures = 10;

    // Messages are for people.
    private const int MaxMessageLength = 3000;

    [TestMethod]
    public void EveryFileIsRefusedByNameOrReadCorrectly()
    {
        int cases = Setting("SMILE_FUZZ_CASES", 20_000), seed = Setting("SMILE_FUZZ_SEED", 1), first = Setting("SMILE_FUZZ_FIRST", 0);
        (FuzzTarget Target, int Share)[] targets =
        [
            (new TensorFileTarget(), 12), (new IndexTarget(), 6), (new ModelTarget(fused: false), 9), (new ModelTarget(fused: true), 5),
            (new AdapterTarget(), 5), (new ZipTarget(), 2), (new PoolTarget(), 1), (new EvalTarget(), 3), (new InputTarget(), 3),
        ];
        FuzzTarget[] wheel = [.. targets.SelectMany(target => Enumerable.Repeat(target.Target, target.Share))];
        var loaded = new Dictionary<FuzzTarget, int>();
        var refused = new Dictionary<FuzzTarget, int>();
        var failures = new List<string>();
        var watch = new Watchdog();
        try
        {
            for (int i = first; i < first + cases && failures.Count < MaxFailures; i++)
            {
                FuzzTarget target = wheel[i % wheel.Length];
                string name = $"SMILE_FUZZ_SEED={seed} SMILE_FUZZ_FIRST={i} SMILE_FUZZ_CASES=1 ({target.GetType().Name})";
                try
                {
                    Dictionary<FuzzTarget, int> results = Execute(target, new Random(unchecked((seed * 1_000_003) + i)), name, watch) ? loaded : refused;
                    results[target] = results.GetValueOrDefault(target) + 1;
                }
                catch (UnitTestAssertException e)
                {
                    failures.Add($"{name}: {e.Message}");
                }
            }
        }
        finally
        {
            watch.Dispose();
            Array.ForEach(targets, target => target.Target.Dispose());
        }

        Assert.IsEmpty(failures, string.Join("\n\n", failures));
        foreach ((FuzzTarget target, int share) in targets.Where(_ => cases >= 20_000))
        {
            int good = loaded.GetValueOrDefault(target), bad = refused.GetValueOrDefault(target);
            Console.WriteLine($"{target.GetType().Name}: {good} read, {bad} refused");
            Assert.IsTrue(good > 0 && bad > 0, $"{target.GetType().Name}: {good} read, {bad} refused; a fuzzer that gets only one answer tests nothing.");
        }
    }

    /// <summary>Runs one case; false when the file was refused.</summary>
    private static bool Execute(FuzzTarget target, Random random, string name, Watchdog watch)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread(), addressSpace = PeakAddressSpace();
        TimeSpan start = Environment.CpuUsage.TotalTime;
        watch.Begin(name);
        bool read = true;
        try
        {
            target.Execute(random);
        }
        catch (SmileException e)
        {
            Assert.IsTrue(!target.ErrorsNameTheFile || e.Message.Contains(target.Location, StringComparison.Ordinal), $"names no file: {e.Message}");
            Assert.IsLessThan(MaxMessageLength, e.Message.Length, e.Message);
            read = false;
        }
#pragma warning disable CA1031 // Whatever else is thrown is what the fuzzer is for.
        catch (Exception e) when (e is not UnitTestAssertException)
#pragma warning restore CA1031
        {
            Assert.IsTrue(target.IsRefusal(e), e.ToString());
            read = false;
        }
        Assert.IsLessThan(MaxTime, Environment.CpuUsage.TotalTime - start);
        Assert.IsLessThan(MaxAllocatedBytes, GC.GetAllocatedBytesForCurrentThread() - allocated, "managed memory");
        Assert.IsLessThan(MaxAddressSpaceBytes, PeakAddressSpace() - addressSpace, "address space");
        return read;
    }

    private static int Setting(string name, int standard)
        => Environment.GetEnvironmentVariable(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : standard;

    /// <summary>The most address space that the process ever had: native blocks count as soon as they are asked for. 0 where /proc is missing.</summary>
    private static long PeakAddressSpace()
    {
        const string Status = "/proc/self/status", Key = "VmPeak:";
        return File.Exists(Status)
            ? 1024 * long.Parse(File.ReadLines(Status).First(line => line.StartsWith(Key, StringComparison.Ordinal)).AsSpan()[Key.Length..^" kB".Length].Trim(), CultureInfo.InvariantCulture)
            : 0;
    }

    /// <summary>Ends the process, telling the case, when one hangs.</summary>
    private sealed class Watchdog : IDisposable
    {
        private readonly Timer _timer;
        private (string Name, long Start) _case = ("none", Stopwatch.GetTimestamp());

        public Watchdog() => _timer = new Timer(_ => Look(), null, MaxWait / 4, MaxWait / 4);

        public void Begin(string name)
        {
            lock (_timer)
            {
                _case = (name, Stopwatch.GetTimestamp());
            }
        }

        public void Dispose() => _timer.Dispose();

        private void Look()
        {
            lock (_timer)
            {
                if (Stopwatch.GetElapsedTime(_case.Start) > MaxWait)
                {
                    Environment.FailFast($"This case hangs: {_case.Name}");
                }
            }
        }
    }
}
