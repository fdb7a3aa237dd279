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
    public void WhatIsKeptRaisesNoPeak()
    {
        const long Bytes = Large * sizeof(float);

        // Blocks that other tests forgot must not come back in between.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using (RecycledMemory.Keep())
        {
            using (new NativeBuffer(Large))
            using (new NativeBuffer(Large / 2))
            {
            }

            Assert.AreEqual(Bytes * 3 / 2, RecycledMemory.KeptBytes);
            using (new NativeBuffer(Large * 3 / 4))
            {
                Assert.AreEqual(0, RecycledMemory.KeptBytes, "Neither fits beside the new block within the peak: the small one goes first, then the large one.");
            }

            using (new NativeBuffer(Large / 4 * 3))
            using (new NativeBuffer(Large / 4))
            {
            }

            Assert.AreEqual(Bytes, RecycledMemory.KeptBytes);
        }

        Assert.AreEqual(0, RecycledMemory.KeptBytes);
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
