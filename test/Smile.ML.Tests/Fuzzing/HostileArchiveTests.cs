using System.Reflection;
using Microsoft.ML;
using Smile.ML.Tests.Pipeline;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Model files that unpack to more than they should, or not at all.</summary>
[TestClass]
public sealed class HostileArchiveTests : PipelineTest
{
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
    public void AFingerprintOfAnotherLengthIsRefused()
    {
        string fingerprint = new('0', 64);
        Assert.Contains("fingerprint 0000000000000000", new SavedFile("x", 1, fingerprint).ToString());
        Assert.EndsWith("fingerprint 0", new SavedFile("x", 1, "0").ToString());
    }

    [TestMethod]
    public void AListBeyondAllBoundsIsRefused()
    {
        Save();
        ChangeEntry("Smile.bin", content =>
        {
            // Behind the version: the number of inputs.
            BitConverter.TryWriteBytes(content.AsSpan(sizeof(int)), int.MaxValue);
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
}
