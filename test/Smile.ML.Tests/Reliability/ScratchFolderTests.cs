using System.Diagnostics;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Checkpoints;

namespace Smile.ML.Tests.Reliability;

[TestClass]
public sealed class ScratchFolderTests
{
    [TestMethod]
    public void FoldersOfKilledProcessesAreRemovedAndNoOthers()
    {
        using var root = new TemporaryFolder();
        using var alive = new ScratchFolder(root.Path);
        string killed = Leftover(root, "killed"), empty = Leftover(root, "empty"), foreign = Leftover(root, "foreign"), other = root["smile-other"];
        File.WriteAllText(Path.Combine(killed, ".lock"), "12345");
        File.WriteAllText(Path.Combine(killed, "model.safetensors"), "half a model");
        File.WriteAllText(Path.Combine(empty, ".lock"), "");
        Directory.CreateDirectory(other);
        File.WriteAllText(Path.Combine(other, ".lock"), "12345");
        ScratchFolder.RemoveLeftovers(root.Path);

        Assert.IsFalse(Directory.Exists(killed));
        Assert.IsTrue(Directory.Exists(alive.Path));
        Assert.IsTrue(Directory.Exists(empty), "Its process may be about to lock it.");
        Assert.IsTrue(Directory.Exists(foreign), "A folder without a lock is not known to be ours.");
        Assert.IsTrue(Directory.Exists(other));
    }

    [TestMethod]
    public void APipeInThePlaceOfALockHoldsNobodyUp()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("Makes a named pipe in a folder.");
        }

        using var root = new TemporaryFolder();
        using (Process make = Process.Start("mkfifo", Path.Combine(Leftover(root, "pipe"), ".lock")))
        {
            make.WaitForExit();
            Assert.AreEqual(0, make.ExitCode);
        }

        Assert.IsTrue(Task.Run(() => ScratchFolder.RemoveLeftovers(root.Path)).Wait(TimeSpan.FromSeconds(30)));
    }

    [TestMethod]
    public void APlaceWhereNoneCanBeMadeIsNamed()
    {
        using var root = new TemporaryFolder();
        string file = root.Write("file", "");
        SmileException e = Assert.ThrowsExactly<SmileException>(() => new ScratchFolder(file));
        Assert.StartsWith(file, e.Message);
    }

    private static string Leftover(TemporaryFolder root, string id) => Directory.CreateDirectory(root[ScratchFolder.Prefix + id]).FullName;
}
