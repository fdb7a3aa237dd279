using Smile.ML.Compute;
using Smile.ML.Cuda.DeviceCheck;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>Parts of the device check, on the emulated device: what it does where something fails.</summary>
[TestClass]
public sealed class DeviceCheckTests
{
    [TestMethod]
    public void ACheckThatFailsLosesNoOther()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        var checks = new CheckList(device);
        TextWriter console = Console.Out;
        using var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            Assert.IsTrue(checks.Run("one", () => { }));
            Assert.IsFalse(checks.Run("two", () => throw new OperationFailedException("wrong")));
            Assert.IsFalse(checks.Run("three", () => throw new SmileException("refused")));
            Assert.IsFalse(checks.Run("four", () => throw new InvalidOperationException("unexpected")));
            Assert.IsTrue(checks.Run("five", () => { }));
            Assert.IsFalse(checks.Run("six", () => BreakTheContext(device)));
            Assert.IsFalse(checks.Run("seven", () => Assert.Fail("The GPU takes no more work.")));
            Assert.AreEqual(1, checks.Finish("checks"));
        }
        finally
        {
            Console.SetOut(console);
            EmulatedDriver.Recover();
        }

        string printed = output.ToString();
        foreach (string part in (string[])["FAILED two: wrong", "FAILED three: refused", "FAILED four: unexpected", "FAILED six: Work on the GPU failed", "FAILED after six the GPU takes no more work", "checks: 2 passed, 4 failed, 1 not run"])
        {
            StringAssert.Contains(printed, part);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void GraphsAreCheckedAndMissed(bool useCublasLt)
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        var options = new CudaOptions { UseCublasLt = useCublasLt, CublasLtPath = EmulatedDriver.LibraryPath };
        GraphReplay.Check(device, options);
        try
        {
            EmulatedDriver.Fail("cuGraphInstantiateWithFlags");
            OperationFailedException exception = Assert.ThrowsExactly<OperationFailedException>(() => GraphReplay.Check(device, options));
            StringAssert.Contains(exception.Message, "0 launches of graphs");
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
        }
    }

    [TestMethod]
    public void WhatAnUnknownGpuCouldDoIsNotStated()
    {
        Peak known = Peak.Of(new CudaDevice(EmulatedDriver.Load(computeCapability: 9), 0));
        Assert.AreEqual(1e15 / known.BFloat16, known.Seconds(MatrixPrecision.BFloat16, 1e15, 1));
        Peak unknown = Peak.Of(new CudaDevice(EmulatedDriver.Load(computeCapability: 10), 0));
        Assert.IsNull(unknown.BFloat16);
        Assert.IsNull(unknown.Tf32);
        Assert.AreEqual(1 / unknown.Bytes, unknown.Seconds(MatrixPrecision.Tf32, 1e15, 1));
    }

    private static void BreakTheContext(CudaDevice device)
    {
        using var backend = new CudaBackend(device, new CudaOptions { CheckMemory = true });
        using Tensor source = backend.Rent(1, 8), result = backend.Rent(1, 8);
        backend.GatherRows(source, [4000], result);
        backend.Download(result);
    }
}
