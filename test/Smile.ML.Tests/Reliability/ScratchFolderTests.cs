using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Reliability;

[TestClass]
public sealed class ScratchFolderTests
{
    [TestMethod]
    public void FoldersOfKilledProcessesAreRemovedAndNoOthers()
    {
        using var alive = new ScratchFolder();
        string killed = Directory.CreateTempSubdirectory(ScratchFolder.Prefix).FullName, foreign = Directory.CreateTempSubdirectory(ScratchFolder.Prefix).FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(killed, ".lock"), []);
            File.WriteAllText(Path.Combine(killed, "model.safetensors"), "half a model");
            ScratchFolder.RemoveLeftovers();

            Assert.IsFalse(Directory.Exists(killed));
            Assert.IsTrue(Directory.Exists(alive.Path));
            Assert.IsTrue(Directory.Exists(foreign), "A folder without a lock is not known to be ours.");
        }
        finally
        {
            Directory.Delete(foreign);
        }
    }
}
