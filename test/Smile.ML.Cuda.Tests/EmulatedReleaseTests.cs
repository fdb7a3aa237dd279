using Smile.ML.Compute;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Routing;

namespace Smile.ML.Cuda.Tests;

/// <summary>Memory goes when nothing uses it any more, and whatever has become of the work.</summary>
[TestClass]
public sealed class EmulatedReleaseTests
{
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void ABackendGoesWhileItsWorkIsQueued(bool useGraphs)
    {
        using (var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { UseGraphs = useGraphs }))
        {
            for (int round = 0; round < 4; round++)
            {
                using Tensor values = Doubled(backend);
                backend.Queue.Submit();
            }
        }

        Assert.AreEqual(0, EmulatedDriver.FreedInUse());
    }

    [TestMethod]
    public void WeightsGoWhileWorkWithThemIsQueued()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { UseGraphs = false });
        using Tensor input = backend.Upload(2, 3, Values.Random(1, 6)), result = backend.Rent(2, 4);
        using (DenseWeights weights = LoadDense(backend))
        using (ExpertWeights experts = LoadExperts(backend))
        using (RoutingDecision decision = backend.Route(null, 2, new SmileRouter(1, 1)))
        {
            backend.Multiply(input, [new DenseProduct(weights, result)]);
            backend.AddExperts(input, null, decision, experts, result);
        }

        backend.Download(result);
        Assert.AreEqual(0, EmulatedDriver.FreedInUse());
    }

    [TestMethod]
    public void ThePoolMakesRoomWhileWorkIsQueued()
    {
        using var backend = new CudaBackend(new CudaDevice(EmulatedDriver.Load(memory: 1 << 20), 0), new CudaOptions());
        Doubled(backend).Dispose();
        Assert.ThrowsExactly<SmileException>(() => backend.Rent(1, 1_000_000));
        backend.Synchronize();
        Assert.AreEqual(0, EmulatedDriver.FreedInUse());
    }

    [TestMethod]
    public void ThePoolMakesRoomWhileOthersHoldWorkBack()
    {
        const int Rounds = 500;
        using var backend = new CudaBackend(new CudaDevice(EmulatedDriver.Load(memory: 1 << 20), 0), new CudaOptions());
        bool done = false;
        var trimming = Task.Run(() =>
        {
            while (!Volatile.Read(ref done))
            {
                Assert.ThrowsExactly<SmileException>(() => backend.Rent(1, 1_000_000));
            }
        });
        try
        {
            for (int round = 0; round < Rounds; round++)
            {
                // Of another size: nobody takes that block, with work queued, until the download.
                Doubled(backend, 300).Dispose();
                using Tensor values = Doubled(backend);
                CollectionAssert.AreEqual(new float[] { 8, 8 }, backend.Download(values));
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            trimming.Wait();
        }

        Assert.AreEqual(0, EmulatedDriver.FreedInUse());
    }

    [TestMethod]
    public void WorkThatFailedHidesNothingAndKeepsNothing()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        (long memory, int graphs) = (EmulatedDriver.Memory().Allocated, EmulatedDriver.Graphs().Count);
        try
        {
            InvalidOperationException exception = Assert.ThrowsExactly<InvalidOperationException>(() =>
            {
                using var backend = new CudaBackend(device, new CudaOptions { CheckMemory = true });
                using DenseWeights weights = LoadDense(backend);
                using ExpertWeights experts = LoadExperts(backend);
                for (int round = 0; round < 3; round++)
                {
                    using Tensor values = Doubled(backend);
                    backend.Download(values);
                }

                using Tensor source = backend.Rent(1, 8), result = backend.Rent(1, 8);
                backend.GatherRows(source, [4000], result);
                Assert.ThrowsExactly<SmileException>(() => backend.Download(result, new float[8]));
                using Tensor heldBack = Doubled(backend);
                throw new InvalidOperationException("What happened first.");
            });
            Assert.AreEqual("What happened first.", exception.Message);
            Assert.AreEqual((memory, graphs), (EmulatedDriver.Memory().Allocated, EmulatedDriver.Graphs().Count));
        }
        finally
        {
            EmulatedDriver.Recover();
        }
    }

    [TestMethod]
    public void WorkThatIsLostOnReleaseIsAnErrorForWhoWaits()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions());
        DenseWeights weights = LoadDense(backend);
        for (int round = 0; round < 3; round++)
        {
            using Tensor values = Doubled(backend);
            backend.Download(values);
        }

        using Tensor lost = Doubled(backend);
        try
        {
            EmulatedDriver.Fail("cuGraphLaunch");
            weights.Dispose();
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
        }

        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => backend.Download(lost)).Message, "Launching a CUDA graph failed");
        using Tensor next = Doubled(backend);
        CollectionAssert.AreEqual(new float[] { 8, 8 }, backend.Download(next));
    }

    private static DenseWeights LoadDense(CudaBackend backend) => backend.LoadDense(4, 3, Values.Reader(Values.Random(2, 12), 3), null);

    private static ExpertWeights LoadExperts(CudaBackend backend) => backend.LoadExperts(
        4,
        3,
        0,
        [new ExpertDefinition { Rank = 2, Up = Values.Reader(Values.Random(3, 8), 2), Down = Values.Reader(Values.Random(4, 6), 3), RouterScales = [] }]);

    /// <summary>Ones, doubled three times; nobody waits.</summary>
    private static Tensor Doubled(CudaBackend backend, int rows = 2)
    {
        Tensor values = backend.Upload(rows, 1, [.. Enumerable.Repeat(1f, rows)]);
        for (int i = 0; i < 3; i++)
        {
            backend.Add(values, values);
        }

        return values;
    }
}
