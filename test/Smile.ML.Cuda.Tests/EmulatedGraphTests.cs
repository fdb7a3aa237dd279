using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Fusion;

namespace Smile.ML.Cuda.Tests;

/// <summary>Work that comes again runs as a graph, and nobody can tell by the results.</summary>
[TestClass]
public sealed class EmulatedGraphTests
{
    private const string Eager = "emulated-eager";
    private const string Graphs = "emulated-graphs";

    [TestMethod]
    [DataRow("mlp")]
    [DataRow("clip")]
    [DataRow("vit_f16")]
    [DataRow("bert")]
    [DataRow("t5")]
    [DataRow("mistral_sw4")]
    [DataRow("llama_bf16")]
    [DataRow("qwen2")]
    public void ReplaysAreTheSameBits(string network)
    {
        string folder = GoldenFolders.Find(network);
        Register();
        int before = EmulatedDriver.Graphs().Count;
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        Dictionary<string, HostTensor> first = inputs.ToDictionary(input => input.Key, input => FirstOf(input.Value));
        string fused = Directory.CreateTempSubdirectory("smile-cuda-").FullName;
        try
        {
            Fuse(folder, Path.Combine(fused, "model"));
            using SmileModel eager = SmileModel.Load(Path.Combine(fused, "model"), new ComputeOptions { Device = Eager });
            using SmileModel graphs = SmileModel.Load(Path.Combine(fused, "model"), new ComputeOptions { Device = Graphs });

            // Two shapes in turn. The first rounds find the blocks, see the work, capture it; the last replays it.
            (Dictionary<string, HostTensor> Batch, IReadOnlyDictionary<string, HostTensor> Expected)[] cases
                = [(inputs, eager.Run(inputs)), (first, eager.Run(first))];
            long memory = 0;
            for (int round = 0; round < 4; round++)
            {
                memory = EmulatedDriver.Memory().Allocated;
                foreach ((Dictionary<string, HostTensor> batch, IReadOnlyDictionary<string, HostTensor> expected) in cases)
                {
                    AssertSame(expected, graphs.Run(batch), $"round {round}");
                }
            }

            Assert.AreEqual(memory, EmulatedDriver.Memory().Allocated, "memory that is allocated");
            Assert.IsTrue(EmulatedDriver.Graphs().Launches >= 2, $"{EmulatedDriver.Graphs()}");
            Assert.AreEqual(0, EmulatedDriver.BrokenGuards(), "allocations written beyond their ends");

            // Other values in the same shapes: what a graph copies from the host is not that of its capture.
            Dictionary<string, HostTensor> other = inputs.ToDictionary(input => input.Key, input => Reversed(input.Value));
            int launches = EmulatedDriver.Graphs().Launches;
            AssertSame(eager.Run(other), graphs.Run(other), "other values");
            Assert.IsTrue(EmulatedDriver.Graphs().Launches > launches, "other values run as graphs");
        }
        finally
        {
            Directory.Delete(fused, recursive: true);
        }

        Assert.AreEqual(before, EmulatedDriver.Graphs().Count, "graphs that are left over");
    }

    [TestMethod]
    public void TheLeastRecentlyUsedGoFirst()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions());
        int before = EmulatedDriver.Graphs().Count;
        for (int rows = 1; rows <= 40; rows++)
        {
            for (int round = 0; round < 3; round++)
            {
                CollectionAssert.AreEqual(Enumerable.Repeat(8f, rows).ToArray(), Doubled(backend, rows, 3));
            }
        }

        (int launches, int count) = EmulatedDriver.Graphs();
        Assert.AreEqual(40, launches, "the third of each");
        Assert.AreEqual(32, count - before);
        Doubled(backend, 40, 3);
        Doubled(backend, 1, 3);
        Assert.AreEqual(launches + 1, EmulatedDriver.Graphs().Launches, "the last is there, the first is gone");
    }

    [TestMethod]
    public void WorkThatBeginsAlikeAndGoesOnOtherwise()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { CheckMemory = true });
        for (int round = 0; round < 4; round++)
        {
            Doubled(backend, 2, 5);
        }

        int launches = EmulatedDriver.Graphs().Launches;
        Assert.AreEqual(2, launches);
        CollectionAssert.AreEqual(new float[] { 16, 16 }, Doubled(backend, 2, 4));
        CollectionAssert.AreEqual(new float[] { 64, 64 }, Doubled(backend, 2, 6));
        Assert.AreEqual(launches, EmulatedDriver.Graphs().Launches, "others than those captured");
        CollectionAssert.AreEqual(new float[] { 32, 32 }, Doubled(backend, 2, 5));
        Assert.AreEqual(launches + 1, EmulatedDriver.Graphs().Launches);
    }

    [TestMethod]
    public void CublasLtIsCapturedToo()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        foreach (MatrixPrecision precision in (MatrixPrecision[])[MatrixPrecision.Full, MatrixPrecision.BFloat16])
        {
            using var backend = new CudaBackend(
                device, new CudaOptions { UseCublasLt = true, CublasLtPath = EmulatedDriver.LibraryPath, Precision = precision, CheckMemory = true });
            using DenseWeights weights = backend.LoadDense(5, 7, Values.Reader(Values.Random(1, 35), 7), [1, 2, 3, 4, 5]);
            float[]? expected = null;
            int launches = EmulatedDriver.Graphs().Launches;
            for (int round = 0; round < 5; round++)
            {
                using Tensor input = backend.Upload(3, 7, Values.Random(2, 21)), result = backend.Rent(3, 5), other = backend.Rent(3, 5);
                backend.Multiply(input, [new DenseProduct(weights, result), new DenseProduct(weights, other)]);
                backend.Activate(result, Activation.Relu);
                backend.Add(other, result);
                backend.Activate(other, Activation.Tanh);
                float[] actual = backend.Download(other);
                CollectionAssert.AreEqual(expected ??= actual, actual);
            }

            Assert.IsTrue(EmulatedDriver.Graphs().Launches > launches, $"{precision}");
        }

        Assert.AreEqual(0, EmulatedDriver.BrokenGuards(), "allocations written beyond their ends");
    }

    [TestMethod]
    public void WorkThatFailsInAGraphIsAnError()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions());
        for (int round = 0; round < 3; round++)
        {
            Doubled(backend, 2, 5);
        }

        try
        {
            EmulatedDriver.Fail("cuGraphLaunch");
            string message = Assert.ThrowsExactly<SmileException>(() => Doubled(backend, 2, 5)).Message;
            StringAssert.Contains(message, "Launching a CUDA graph failed: CUDA_ERROR_UNKNOWN (999)");
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
        }

        CollectionAssert.AreEqual(new float[] { 32, 32 }, Doubled(backend, 2, 5));
    }

    [TestMethod]
    [DataRow("cuStreamBeginCapture_v2")]
    [DataRow("cuStreamEndCapture")]
    [DataRow("cuGraphInstantiateWithFlags")]
    [DataRow("cuGraphDestroy")]
    public void WorkThatCannotBeCapturedRunsWithoutAGraph(string function)
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions());
        CudaGraphRecorder recorder = backend.Queue.Recorder!;
        try
        {
            EmulatedDriver.Fail(function);
            for (int round = 0; round < 4; round++)
            {
                CollectionAssert.AreEqual(new float[] { 32, 32 }, Doubled(backend, 2, 5));
            }
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
        }

        // It is tried once; other work is not concerned.
        CollectionAssert.AreEqual(new float[] { 32, 32 }, Doubled(backend, 2, 5));
        Assert.AreEqual((0, 1), (recorder.Captures, recorder.CaptureFailures));
        for (int round = 0; round < 3; round++)
        {
            CollectionAssert.AreEqual(new float[] { 16, 16 }, Doubled(backend, 2, 4));
        }

        Assert.AreEqual((1, 1), (recorder.Captures, recorder.CaptureFailures));
    }

    [TestMethod]
    public void WeightsGoWhileWorkWithThemIsHeldBack()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { CheckMemory = true });
        float[]? expected = null;
        for (int round = 0; round < 5; round++)
        {
            using Tensor input = backend.Upload(2, 3, Values.Random(1, 6)), result = backend.Rent(2, 4);
            using (DenseWeights weights = backend.LoadDense(4, 3, Values.Reader(Values.Random(2, 12), 3), null))
            {
                backend.Synchronize();
                backend.Multiply(input, [new DenseProduct(weights, result)]);
                backend.Activate(result, Activation.Relu);
                backend.Activate(result, Activation.Gelu);
            }

            float[] actual = backend.Download(result);
            CollectionAssert.AreEqual(expected ??= actual, actual);
        }
    }

    private static void Register()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        EmulatedDriver.Seed(1);
        Backends.Register(Eager, _ => new CudaBackend(device, new CudaOptions { CheckMemory = true, UseGraphs = false }));
        Backends.Register(Graphs, _ => new CudaBackend(device, new CudaOptions { CheckMemory = true }));
    }

    private static void Fuse(string folder, string fused)
    {
        using ModelPool pool = ModelPool.Open(
            Path.Combine(folder, "_pretrained_"),
            Directory.GetDirectories(folder, "expert_*").Order(StringComparer.Ordinal)
                .Select(expert => KeyValuePair.Create(Path.GetFileName(expert), expert)));
        new SmileFusion(new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }).Fuse(pool, fused);
    }

    /// <summary>Ones, added to themselves so many times.</summary>
    private static float[] Doubled(CudaBackend backend, int rows, int times)
    {
        using Tensor values = backend.Upload(rows, 1, [.. Enumerable.Repeat(1f, rows)]);
        for (int i = 0; i < times; i++)
        {
            backend.Add(values, values);
        }

        return backend.Download(values);
    }

    private static HostTensor FirstOf(HostTensor tensor)
    {
        int length = (int)(tensor.Integers?.Length ?? tensor.Floats!.Length) / (int)tensor.Shape[0];
        long[] shape = [1, .. tensor.Shape.Skip(1)];
        return tensor.Integers is { } integers ? HostTensor.FromIntegers(shape, integers[..length]) : HostTensor.FromFloats(shape, tensor.Floats![..length]);
    }

    /// <summary>The batch's samples in another order: other values, all of them possible.</summary>
    private static HostTensor Reversed(HostTensor tensor)
    {
        long[] shape = [.. tensor.Shape];
        return tensor.Integers is { } integers
            ? HostTensor.FromIntegers(shape, ReverseRows(integers, (int)shape[0]))
            : HostTensor.FromFloats(shape, ReverseRows(tensor.Floats!, (int)shape[0]));
    }

    private static T[] ReverseRows<T>(T[] values, int rows) => [.. values.Chunk(values.Length / rows).Reverse().SelectMany(row => row)];

    private static void AssertSame(IReadOnlyDictionary<string, HostTensor> expected, IReadOnlyDictionary<string, HostTensor> actual, string what)
    {
        foreach ((string name, HostTensor tensor) in expected)
        {
            CollectionAssert.AreEqual(tensor.Floats, actual[name].Floats, $"{what}: {name}");
        }
    }
}
