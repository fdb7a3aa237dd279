using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>Dense products by cuBLASLt, as far as an emulation of its interface shows: layouts, biases, errors.</summary>
[TestClass]
public sealed class CublasLtTests
{
    [TestMethod]
    [DataRow(MatrixPrecision.Full)]
    [DataRow(MatrixPrecision.BFloat16)]
    [DataRow(MatrixPrecision.Float16)]
    public void ProductsFollowTheirFormula(MatrixPrecision precision)
    {
        using var backend = new CudaBackend(
            EmulatedDriver.OpenDevice(),
            new CudaOptions { UseCublasLt = true, CublasLtPath = EmulatedDriver.LibraryPath, Precision = precision, CheckMemory = true });
        foreach (OperationCase operation in ProductCases.All)
        {
            operation.Run(backend, precision);
        }

        Assert.AreEqual(0, EmulatedDriver.BrokenGuards(), "allocations written beyond their ends");
    }

    [TestMethod]
    public void ALibraryThatIsNotThereIsAnError()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        SmileException exception = Assert.ThrowsExactly<SmileException>(
            () => _ = new CudaBackend(device, new CudaOptions { UseCublasLt = true, CublasLtPath = "/not/there/libcublasLt.so" }));
        StringAssert.Contains(exception.Message, "/not/there/libcublasLt.so");
    }

    [TestMethod]
    public void APrecisionThatItLacksIsAnError()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        SmileException exception = Assert.ThrowsExactly<SmileException>(() => _ = new CudaBackend(
            device, new CudaOptions { UseCublasLt = true, CublasLtPath = EmulatedDriver.LibraryPath, Precision = MatrixPrecision.BFloat16x3 }));
        StringAssert.Contains(exception.Message, "BFloat16x3");
    }
}
