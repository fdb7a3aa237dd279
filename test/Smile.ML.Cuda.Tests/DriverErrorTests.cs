using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Emulator;

namespace Smile.ML.Cuda.Tests;

/// <summary>What a user reads where a GPU can't be used: what was found, and what is needed.</summary>
[TestClass]
public sealed class DriverErrorTests
{
    [TestMethod]
    public void NoDriver()
        => AssertMessage(() => CudaDriver.Load("libcuda-that-is-not-there.so.1"), "no CUDA driver", "libcuda-that-is-not-there.so.1", "CUDA 12.0");

    [TestMethod]
    public void NoDevice() => AssertMessage(() => EmulatedDriver.Load(devices: 0), "CUDA_ERROR_NO_DEVICE (100)", "compute capability 8.0");

    [TestMethod]
    public void ADriverThatIsTooOld() => AssertMessage(() => EmulatedDriver.Load(version: 11080), "is for CUDA 11.8", "CUDA 12.0 or later");

    [TestMethod]
    public void ADeviceThatIsTooOld()
        => AssertMessage(() => _ = new CudaDevice(EmulatedDriver.Load(computeCapability: 7), 0), "Emulated device", "7.0", "compute capability 8.0 or later");

    [TestMethod]
    public void ADeviceThatIsNotThere() => AssertMessage(() => _ = new CudaDevice(EmulatedDriver.Load(devices: 2), 2), "cuda:2", "cuda:0 to cuda:1");

    [TestMethod]
    [DataRow("cuda:x")]
    [DataRow("cuda:-1")]
    [DataRow("cuda0")]
    public void ADeviceThatIsNoNumber(string device) => AssertMessage(() => CudaDevice.Open(device), device, "cuda:N");

    [TestMethod]
    public void KernelsThatDoNotCompile()
    {
        using var backend = new CudaBackend(new CudaDevice(EmulatedDriver.Load(brokenCompiler: true), 0), new CudaOptions());
        using Tensor tensor = backend.Rent(1, 1);
        AssertMessage(() => backend.Activate(tensor, Activation.Relu), "activations.cu", "CUDA_ERROR_INVALID_PTX", "ptxas fatal: emulated");
    }

    [TestMethod]
    public void NoMemoryLeft()
    {
        using var backend = new CudaBackend(new CudaDevice(EmulatedDriver.Load(memory: 1 << 20), 0), new CudaOptions());

        // What was given back makes room again, whatever its size.
        backend.Rent(1, 200_000).Dispose();
        using Tensor tensor = backend.Rent(1, 150_000);
        AssertMessage(() => backend.Rent(1, 1_000_000), "cuda:0 (Emulated device) is out of memory", "of 1,048,576 are free");
    }

    [TestMethod]
    public void WorkThatFailsLater()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { CheckMemory = true });
        using Tensor source = backend.Rent(1, 8), result = backend.Rent(1, 8);
        try
        {
            // Queued without a word; the row is far outside.
            backend.GatherRows(source, [4000], result);
            AssertMessage(() => backend.Download(result, new float[8]), "Work on the GPU failed", "CUDA_ERROR_ILLEGAL_ADDRESS");
        }
        finally
        {
            EmulatedDriver.Recover();
        }
    }

    [TestMethod]
    public void DisposingTwiceGivesABlockToOneOnly()
    {
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions());
        var first = (CudaTensor)backend.Rent(10, 10);
        ulong address = first.Address;
        first.Dispose();
        first.Dispose();
        using var second = (CudaTensor)backend.Rent(10, 10);
        using var third = (CudaTensor)backend.Rent(10, 10);
        Assert.AreEqual(address, second.Address);
        Assert.AreNotEqual(address, third.Address);
    }

    private static void AssertMessage(Action action, params string[] parts)
    {
        string message = Assert.ThrowsExactly<SmileException>(action).Message;
        foreach (string part in parts)
        {
            StringAssert.Contains(message, part);
        }
    }
}
