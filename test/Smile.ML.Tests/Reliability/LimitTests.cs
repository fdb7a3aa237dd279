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
    // What the runtime itself takes: measured with a model of a few hundred values in the same test.
    private const long Tolerance = 24 << 20;

    [TestMethod]
    public void FusingKeepsTheMemoryLimit()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Reads the kernel's accounts in /proc.");
        }

        const long Limit = 48 << 20;
        using var folder = new TemporaryFolder();
        using var small = new TemporaryFolder();
        long runtime = PeakOf("fuse", "--pool", TestPool.WriteMlp(small, 2, [6, 5]), "--output", folder["a"], "--threads", "8");
        string pool = TestPool.WriteMlp(folder, 8, [1024, 1024]);
        string[] run = ["fuse", "--pool", pool, "--expert-rank", "8", "--router-rank", "4", "--threads", "8"];
        long limited = PeakOf([.. run, "--output", folder["b"], "--max-memory", $"{Limit}"]);
        long unlimited = PeakOf([.. run, "--output", folder["c"]]);
        Console.WriteLine($"runtime {runtime >> 20} MiB, limited to {Limit >> 20} MiB: {limited >> 20} MiB, unlimited: {unlimited >> 20} MiB");
        Assert.IsLessThan(runtime + Limit + Tolerance, limited);
        Assert.IsGreaterThan(runtime + Limit + Tolerance, unlimited, "A limit that would be kept without being one tests nothing.");
    }

    [TestMethod]
    public void ABatchThatCannotBeCountedIsRefused()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 1, [50_000, 2]);
        var ml = new Microsoft.ML.MLContext(seed: 0);
        SmileException e = Assert.ThrowsExactly<SmileException>(() => ml.Transforms.ApplySmileModel(
            Path.Combine(pool, "a"), batchSize: 65_536, compute: new ComputeOptions { Threads = 1 }));
        Assert.Contains("BatchSize is 65536", e.Message, StringComparison.Ordinal);
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
}
