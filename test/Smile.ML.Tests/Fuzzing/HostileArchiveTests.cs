using System.IO.Compression;
using System.Reflection;
using Microsoft.ML;
using Smile.ML.Tests.Pipeline;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Model files that unpack to more than they should, or not at all.</summary>
[TestClass]
public sealed class HostileArchiveTests : PipelineTest
{
    private string ModelPath => Path.Combine(Folder, "smile.zip");

    [TestMethod]
    public void AnEntryThatUnpacksToMoreThanItSaysIsNotWrittenOut()
    {
        Save();
        ChangeEntry("config.json", content => [.. content, .. new byte[64 << 20]]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        SmileException error = LoadError();
        Assert.Contains("config.json", error.Message);
        Assert.Contains("more bytes; expected", error.Message);
        Assert.IsLessThan(16L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void AListBeyondAllBoundsIsRefused()
    {
        Save();
        ChangeEntry("Smile.bin", content =>
        {
            // Behind the version and three names: the batch size, then the number of heads.
            int at = sizeof(int);
            for (int name = 0; name < 3; name++)
            {
                at += 1 + content[at];
            }

            BitConverter.TryWriteBytes(content.AsSpan(at + sizeof(int)), int.MaxValue);
            return [.. content, .. new byte[8 << 20]];
        });

        Assert.Contains($"a list of {int.MaxValue} items", LoadError().Message);
    }

    private void Save()
    {
        using SmileTransformer transformer = Fit(Options);
        Ml.Model.SaveAtomically(transformer, null, ModelPath);
    }

    private SmileException LoadError()
    {
        Exception error = Assert.Throws<Exception>(() => new MLContext().RegisterSmile().Model.Load(ModelPath, out _));
        return (SmileException)(error is TargetInvocationException ? error.InnerException! : error);
    }

    private void ChangeEntry(string name, Func<byte[], byte[]> change)
    {
        using ZipArchive zip = ZipFile.Open(ModelPath, ZipArchiveMode.Update);
        ZipArchiveEntry entry = zip.Entries.Single(entry => entry.Name == name);
        using var content = new MemoryStream();
        using (Stream stream = entry.Open())
        {
            stream.CopyTo(content);
        }

        entry.Delete();
        using Stream changed = zip.CreateEntry(entry.FullName).Open();
        changed.Write(change(content.ToArray()));
    }
}
