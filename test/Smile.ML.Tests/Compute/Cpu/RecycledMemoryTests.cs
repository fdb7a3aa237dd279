using Smile.ML.Compute.Cpu;

namespace Smile.ML.Tests.Compute.Cpu;

[TestClass]
[DoNotParallelize]
public sealed unsafe class RecycledMemoryTests
{
    private const int Large = 1 << 20;

    [TestMethod]
    public void ABlockOfTheSameSizeIsHandedOutAgainWhileAnyoneKeepsThem()
    {
        using IDisposable outer = RecycledMemory.Keep();
        using (RecycledMemory.Keep())
        {
        }

        nint first;
        using (var buffer = new NativeBuffer(Large))
        {
            first = (nint)buffer.Pointer;
        }

        using var again = new NativeBuffer(Large);
        using var other = new NativeBuffer(Large);
        Assert.AreEqual(first, (nint)again.Pointer);
        Assert.AreNotEqual(first, (nint)other.Pointer);
    }

    [TestMethod]
    public void BlocksInUseNeverOverlap()
    {
        using IDisposable kept = RecycledMemory.Keep();
        Parallel.For(0, 400, i =>
        {
            using var buffer = new NativeBuffer(Large / 2 + (i % 3 * 1024));
            var values = new Span<float>(buffer.Pointer, (int)buffer.Length);
            values.Fill(i);
            Assert.AreEqual(-1, values.IndexOfAnyExcept(i));
        });
    }
}
