using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Fusion;

namespace Smile.ML.Cuda.Tests;

/// <summary>How the driver is used: each of its answers is read, and weights travel to the device once.</summary>
[TestClass]
public sealed class EmulatedDriverTests
{
    // Those that make a graph are not among them: work that can't be one runs without.
    private static readonly string[] Functions =
    [
        "cuDriverGetVersion", "cuInit", "cuDeviceGetCount", "cuDeviceGet",
        "cuDeviceGetName", "cuDeviceGetAttribute", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent",
        "cuMemAlloc_v2", "cuMemAllocHost_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
        "cuMemsetD32Async", "cuMemGetInfo_v2", "cuStreamCreate", "cuStreamSynchronize",
        "cuGraphLaunch", "cuEventCreate", "cuEventRecord", "cuEventSynchronize",
        "cuEventElapsedTime", "cuModuleLoadDataEx", "cuModuleGetFunction", "cuFuncSetAttribute",
        "cuFuncGetAttribute", "cuLaunchKernel",
    ];

    [TestMethod]
    public void EveryReturnCodeIsRead()
    {
        EmulatedDriver.Load();
        foreach (string function in Functions)
        {
            EmulatedDriver.Fail(function);
            try
            {
                string message = Assert.ThrowsExactly<SmileException>(() => UseEverything(CudaDriver.Load(EmulatedDriver.LibraryPath)), function).Message;
                StringAssert.Contains(message, "CUDA_ERROR_UNKNOWN (999)", function);
            }
            finally
            {
                EmulatedDriver.Fail(string.Empty);
            }
        }

        // It was those failures and nothing else; and they spoil nothing.
        UseEverything(CudaDriver.Load(EmulatedDriver.LibraryPath));
    }

    [TestMethod]
    public void WeightsTravelOnce()
    {
        string folder = GoldenFolders.Find("clip");
        CudaDevice device = EmulatedDriver.OpenDevice();
        Backends.Register("emulated-once", _ => new CudaBackend(device, new CudaOptions()));
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        using SmileModel model = SmileModel.Load(Path.Combine(folder, "expert_a"), new ComputeOptions { Device = "emulated-once" });
        long loaded = EmulatedDriver.Memory().FromHost;
        model.Run(inputs);
        long first = EmulatedDriver.Memory().FromHost - loaded;
        Assert.IsTrue(first < loaded / 4, $"{first} bytes for a run, {loaded} for the model");
        model.Run(inputs);
        Assert.AreEqual(loaded + (2 * first), EmulatedDriver.Memory().FromHost);
    }

    [TestMethod]
    [DataRow(MatrixPrecision.Full, false, 2)]
    [DataRow(MatrixPrecision.Full, true, 4)]
    [DataRow(MatrixPrecision.Tf32, false, 2)]
    [DataRow(MatrixPrecision.Tf32x3, true, 4)]
    [DataRow(MatrixPrecision.BFloat16, true, 2)]
    [DataRow(MatrixPrecision.Float16, true, 2)]
    public void WeightsTakeAsManyBytesAsTheyNeed(MatrixPrecision precision, bool full, int bytes)
    {
        // Quarters fit a bfloat16; thirds don't.
        const int Outputs = 64, Inputs = 512;
        float[] values = [.. Enumerable.Range(0, Outputs * Inputs).Select(i => (i % 64) / (full ? 3f : 4f))];
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { Precision = precision });
        long before = EmulatedDriver.Memory().Allocated;
        using DenseWeights weights = backend.LoadDense(Outputs, Inputs, Values.Reader(values, Inputs), null);
        Assert.AreEqual(Outputs * Inputs * bytes, EmulatedDriver.Memory().Allocated - before);
    }

    [TestMethod]
    public void AWeightThatThePrecisionCannotHoldIsAnError()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { Precision = MatrixPrecision.Float16 });
        long before = EmulatedDriver.Memory().Allocated;
        string message = Assert.ThrowsExactly<SmileException>(
            () => backend.LoadDense(2, 2, Values.Reader([1, 2, 3, 70000], 2), null)).Message;
        StringAssert.Contains(message, "70000 (row 1, column 1)");
        StringAssert.Contains(message, "65504");
        Assert.AreEqual(before, EmulatedDriver.Memory().Allocated);
    }

    /// <summary>Calls all functions of the driver that can fail.</summary>
    private static void UseEverything(CudaDriver driver)
    {
        var device = new CudaDevice(driver, 0);
        device.Memory();
        device.Compiled(new CudaKernel("rounding", "round_to_bf16", 32));
        using var start = new CudaEvent(device.Context);
        using var end = new CudaEvent(device.Context);
        using var backend = new CudaBackend(device, new CudaOptions { Precision = MatrixPrecision.BFloat16, CheckMemory = true });
        using DenseWeights weights = backend.LoadDense(130, 8, Values.Reader(Values.Random(1, 130 * 8), 8), null);
        for (int round = 0; round < 4; round++)
        {
            // Enough rows for the kernel that asks for much shared memory, and enough launches for a graph.
            using Tensor input = backend.Upload(129, 8, Values.Random(2, 129 * 8)), result = backend.Rent(129, 130);
            backend.Multiply(input, [new DenseProduct(weights, result)]);
            using Tensor few = backend.Upload(1, 8, Values.Random(2, 8));
            for (int i = 0; i < 5; i++)
            {
                backend.Activate(few, Activation.Relu);
            }

            backend.Queue.Record(start);
            backend.Queue.Record(end);
            end.Synchronize();
            end.SecondsSince(start);
            backend.Activate(few, Activation.Relu);
            backend.Activate(few, Activation.Relu);
            backend.Activate(few, Activation.Relu);
            backend.Download(few);
        }
    }
}
