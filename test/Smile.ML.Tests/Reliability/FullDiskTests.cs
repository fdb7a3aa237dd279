using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Reliability;

/// <summary>Places that take no more, or nothing at all. Needs the right to mount file systems in memory: root, on Linux.</summary>
[TestClass]
[DoNotParallelize]
public sealed class FullDiskTests
{
    [TestMethod]
    public void AFullDiskIsNamedAndNothingIsLeft()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [128, 128, 128]);
        using var disk = Disk.Mount(folder["disk"], "size=64k");
        using var models = ModelPool.Open(pool);
        string output = Path.Combine(disk.Path, "out");
        AssertRefused(() => new SmileFusion(new SmileFusionOptions { Threads = 1 }).Fuse(models, output), disk.Path);

        var tensors = new Dictionary<string, HostTensor> { ["t"] = HostTensor.FromFloats([100_000], new float[100_000]) };
        AssertRefused(() => TensorFile.Write(output, tensors), disk.Path);

        var ml = new MLContext(seed: 0);
        IDataView rows = ml.Data.LoadFromEnumerable([new Row()]);
        using SmileTransformer transformer = ml.Transforms.Smile(models, new SmileOptions { InputColumnName = "X" }).Fit(rows);
        AssertRefused(() => ml.Model.SaveAtomically(transformer, rows.Schema, output), disk.Path);
    }

    [TestMethod]
    public void AReadOnlyPlaceIsNamed()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 5]);
        using var disk = Disk.Mount(folder["disk"], "ro");
        using var models = ModelPool.Open(pool);
        AssertRefused(() => new SmileFusion().Fuse(models, Path.Combine(disk.Path, "out")), disk.Path);
    }

    private static void AssertRefused(Action write, string place)
    {
        SmileException e = Assert.ThrowsExactly<SmileException>(write);
        Assert.Contains(place, e.Message, StringComparison.Ordinal);
        Assert.IsEmpty(Directory.GetFileSystemEntries(place));
    }

    private sealed class Row
    {
        [VectorType(128)]
        public float[] X { get; set; } = new float[128];
    }

    private sealed class Disk : IDisposable
    {
        private Disk(string path) => Path = path;

        public string Path { get; }

        public static Disk Mount(string path, string options)
        {
            Directory.CreateDirectory(path);
            if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess || Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", path) != 0)
            {
                Assert.Inconclusive("Mounting a file system in memory takes root, on Linux.");
            }

            return new Disk(path);
        }

        public void Dispose() => Run("umount", Path);

        private static int Run(string program, params string[] arguments)
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode;
        }
    }
}
