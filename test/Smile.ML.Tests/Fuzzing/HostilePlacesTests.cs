using System.Diagnostics;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Where a file should be, something else is, or it changes while it is read: refused by name, and without waiting for it.</summary>
[TestClass]
public sealed class HostilePlacesTests
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(20);

    [TestMethod]
    [DataRow("config.json")]
    [DataRow("model.safetensors")]
    public void PipesDevicesFoldersAndLinksInPlaceOfAFileAreRefused(string name)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("Pipes and devices have no such paths.");
        }

        using var folder = new TemporaryFolder();
        string model = folder["model"], path = Path.Combine(model, name);
        TinyModels.WriteMlp(model, maxShardBytes: long.MaxValue);
        File.Move(path, folder["intact"]);
        Process.Start("mkfifo", [folder["model/pipe"]]).WaitForExit();
        (Action Make, string Expected)[] cases =
        [
            (() => Process.Start("mkfifo", [path]).WaitForExit(), path),
            (() => File.CreateSymbolicLink(path, "pipe"), path),
            (() => File.CreateSymbolicLink(path, "/dev/zero"), "leads out of the folder"),
            (() => File.CreateSymbolicLink(path, "../intact"), "leads out of the folder"),
            (() => File.CreateSymbolicLink(path, name), "symbolic links"),
            (() => File.CreateSymbolicLink(path, "missing"), model),
            (() => Directory.CreateDirectory(path), model),
            (() => File.WriteAllBytes(path, []), path),
        ];
        foreach ((Action make, string expected) in cases)
        {
            make();
            AssertRefused(() => SmileModel.Load(model, new ComputeOptions { Threads = 1 }), expected);
            if (Directory.Exists(path))
            {
                Directory.Delete(path);
            }
            else
            {
                File.Delete(path);
            }
        }

        // Not refused: a link inside of the folder, to a file.
        File.Delete(folder["model/pipe"]);
        File.Move(folder["intact"], folder["model/other"]);
        File.CreateSymbolicLink(path, "other");
        SmileModel.Load(model, new ComputeOptions { Threads = 1 }).Dispose();
    }

    [TestMethod]
    public void AFileThatMayNotBeReadIsNamed()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Inconclusive("Nothing keeps this user from reading.");
            return;
        }

        using var folder = new TemporaryFolder();
        TinyModels.WriteMlp(folder["model"], maxShardBytes: long.MaxValue);
        File.SetUnixFileMode(folder["model/model.safetensors"], UnixFileMode.None);
        AssertRefused(() => SmileModel.Load(folder["model"]), folder["model/model.safetensors"]);
    }

    [TestMethod]
    public void AFileThatGrowsOrShrinksWhileItIsOpenIsReadAsItWasOrRefused()
    {
        using var folder = new TemporaryFolder();
        TensorFile.Write(folder["x.safetensors"], new Dictionary<string, HostTensor> { ["t"] = HostTensor.FromFloats([4096], [.. Enumerable.Range(0, 4096).Select(i => (float)i)]) });
        using var file = SafetensorsFile.Open(folder["x.safetensors"]);
        using (FileStream stream = File.Open(folder["x.safetensors"], FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.Write(new byte[100]);
            Assert.AreEqual(4095f, file.ReadFloats("t")[4095]);
        }

        using (FileStream stream = File.Open(folder["x.safetensors"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(5000);
        }

        AssertRefused(() => file.ReadFloats("t"), "shrank");
        AssertRefused(() => SafetensorsFile.Open(folder["x.safetensors"]), folder["x.safetensors"]);
    }

    [TestMethod]
    public void ShardsWhoseNamesDifferInCaseAloneStayApart()
    {
        using var folder = new TemporaryFolder();
        TensorFile.Write(folder["model/a.safetensors"], new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1], [1]) });
        TensorFile.Write(folder["model/A.safetensors"], new Dictionary<string, HostTensor> { ["y"] = HostTensor.FromFloats([1], [2]) });
        folder.Write("model/config.json", """{"model_type":"mlp"}""");
        folder.Write("model/model.safetensors.index.json", """{"weight_map":{"x":"a.safetensors","y":"A.safetensors"}}""");
        if (File.ReadAllBytes(folder["model/a.safetensors"]).AsSpan().SequenceEqual(File.ReadAllBytes(folder["model/A.safetensors"])))
        {
            // One file, on this file system: it has only one of the tensors.
            AssertRefused(() => HuggingFaceFolder.Open(folder["model"]), "there is no tensor 'x'");
            return;
        }

        using var model = HuggingFaceFolder.Open(folder["model"]);
        Assert.AreEqual(1f, model.ReadFloats("x")[0]);
        Assert.AreEqual(2f, model.ReadFloats("y")[0]);
    }

    [TestMethod]
    public void RunsForTheSameOutputLeaveOneWholeOutput()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 8, 5]);
        int published = 0;
        Parallel.For(0, 24, new ParallelOptions { MaxDegreeOfParallelism = 8 }, run =>
        {
            using var models = ModelPool.Open(pool);
            try
            {
                new SmileFusion(new SmileFusionOptions { ExpertRank = 1 + (run % 3), RouterRank = 1, Threads = 1 }).Fuse(models, folder["out"], overwrite: run % 2 == 0);
                Interlocked.Increment(ref published);
            }
            catch (SmileException e)
            {
                // Another run was there first.
                Assert.Contains(folder["out"], e.Message, StringComparison.Ordinal);
            }
        });

        Assert.IsGreaterThan(0, published);
        SmileModel.Load(folder["out"], new ComputeOptions { Threads = 1 }).Dispose();
        using (var models = ModelPool.Open(pool))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = 1, RouterRank = 1, Threads = 1 }).Fuse(models, folder["out"], overwrite: true);
        }

        CollectionAssert.AreEqual(new[] { "out", "pool" }, folder.Names());
    }

    private static void AssertRefused(Action action, string expected)
    {
        Task<SmileException> refused = Task.Run(() => Assert.ThrowsExactly<SmileException>(action));
        Assert.IsTrue(refused.Wait(MaxTime), $"waits; expected: {expected}");
        Assert.Contains(expected, refused.Result.Message, StringComparison.Ordinal);
    }
}
