using System.Diagnostics;
using System.Globalization;
using Smile.ML.Compute;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Reliability;

/// <summary>Limits on memory and threads, measured from outside the process that has to keep them.</summary>
[TestClass]
[DoNotParallelize]
public sealed class LimitTests
{
    // What the runtime itself takes, and threads that have freed their share but not yet given it back.
    private const long Runtime = 64 << 20;

    [TestMethod]
    public void FusingKeepsTheMemoryLimit()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Reads the kernel's accounts in /proc.");
        }

        const long Limit = 40 << 20;
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 8, [2048, 2048]);
        string[] run = ["fuse", "--pool", pool, "--expert-rank", "8", "--router-rank", "4", "--threads", "8"];
        long limited = PeakOf([.. run, "--output", folder["limited"], "--max-memory", $"{Limit}"]);
        long unlimited = PeakOf([.. run, "--output", folder["unlimited"]]);
        Console.WriteLine($"limited to {Limit >> 20} MiB: {limited >> 20} MiB, not limited: {unlimited >> 20} MiB");
        Assert.IsLessThan(Limit + Runtime, limited);
        Assert.IsGreaterThan(Limit + Runtime, unlimited, "A limit that would be kept without being one tests nothing.");
    }

    [TestMethod]
    public void ABatchThatCannotBeCountedIsRefused()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 1, [50_000, 2]);
        var ml = new Microsoft.ML.MLContext(seed: 0);
        SmileException e = Assert.ThrowsExactly<SmileException>(() => ml.Transforms.ApplySmileModel(
            Path.Combine(pool, "a"), new() { BatchSize = 65_536, Threads = 1 }));
        Assert.Contains("BatchSize is 65536", e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void ThreadsFollowTheQuotaOfTheControlGroup()
    {
        using var group = ControlGroup.TryCreate(processors: 1);
        if (group is null)
        {
            Assert.Inconclusive("Making a control group with a quota takes root, on Linux.");
        }

        string[] bench = ["bench", "fuse", "--in-features", "16", "--out-features", "16", "--experts", "1", "--expert-rank", "2", "--router-rank", "1"];
        string command = $"echo $$ > {group.Path}/cgroup.procs && exec dotnet {Path.Combine(AppContext.BaseDirectory, "smile.dll")} {string.Join(' ', bench)}";
        using Process process = Process.Start(new ProcessStartInfo("bash", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode, process.StandardError.ReadToEnd());
        Assert.Contains(" 1 threads", output, StringComparison.Ordinal);
    }

    /// <summary>The most anonymous memory that a run of the command was seen to hold.</summary>
    private static long PeakOf(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "smile.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        string status = $"/proc/{process.Id}/status";
        long peak = 0;
        while (!process.WaitForExit(2))
        {
            string? line = null;
            try
            {
                line = File.ReadLines(status).FirstOrDefault(text => text.StartsWith("RssAnon:", StringComparison.Ordinal));
            }
            catch (IOException)
            {
                // It has ended just now.
            }

            if (line is not null)
            {
                peak = Math.Max(peak, 1024 * long.Parse(line.AsSpan()["RssAnon:".Length..^" kB".Length].Trim(), CultureInfo.InvariantCulture));
            }
        }

        Assert.AreEqual(0, process.ExitCode, process.StandardError.ReadToEnd());
        return peak;
    }

    /// <summary>A control group with a quota of processor time, of version 1 or 2.</summary>
    private sealed class ControlGroup : IDisposable
    {
        private const int Period = 100_000;

        private ControlGroup(string path) => Path = path;

        public string Path { get; }

        public static ControlGroup? TryCreate(int processors)
        {
            (string Root, string File, string Quota)[] versions =
            [
                ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", $"{processors * Period}"),
                ("/sys/fs/cgroup", "cpu.max", $"{processors * Period} {Period}"),
            ];
            foreach ((string root, string file, string quota) in versions)
            {
                string path = System.IO.Path.Combine(root, $"smile-tests-{Environment.ProcessId}");
                try
                {
                    Directory.CreateDirectory(path);
                    var group = new ControlGroup(path);
                    if (File.Exists(System.IO.Path.Combine(path, file)))
                    {
                        File.WriteAllText(System.IO.Path.Combine(path, file), quota);
                        return group;
                    }

                    group.Dispose();
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // The next version, or none.
                }
            }

            return null;
        }

        public void Dispose() => Directory.Delete(Path);
    }
}
