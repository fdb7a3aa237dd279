using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>Dense products by cuBLASLt, as far as an emulation of its interface shows: layouts, biases, errors.</summary>
[TestClass]
public sealed class CublasLtTests
{
    [TestMethod]
    [DataRow(MatrixPrecision.Full)]
    [DataRow(MatrixPrecision.Tf32)]
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
    public void ALibraryThatDoesNotStartGivesWayToTheNext()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        string[] broken = ["/not/there/libcublasLt.so", "libc.so.6"];
        string other = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.so");
        try
        {
            EmulatedDriver.Fail("cublasLtCreate");
            SmileException exception = Assert.ThrowsExactly<SmileException>(
                () => _ = new CublasLt(device.Context, [.. broken, EmulatedDriver.LibraryPath], MatrixPrecision.Full));
            foreach (string part in (string[])["/not/there/libcublasLt.so", "libc.so.6 lacks cublasLtCreate", $"{EmulatedDriver.LibraryPath} doesn't start (cuBLAS status 1)"])
            {
                StringAssert.Contains(exception.Message, part);
            }

            // A copy that nobody has told to fail.
            File.Copy(EmulatedDriver.LibraryPath, other);
            new CublasLt(device.Context, [.. broken, EmulatedDriver.LibraryPath, other], MatrixPrecision.Full).Dispose();
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
            File.Delete(other);
        }
    }

    [TestMethod]
    public void AKernelThatItFindsAndCannotRunIsAnError()
    {
        using var backend = new CudaBackend(
            EmulatedDriver.OpenDevice(), new CudaOptions { UseCublasLt = true, CublasLtPath = EmulatedDriver.LibraryPath, UseGraphs = false });
        try
        {
            EmulatedDriver.Fail("cublasLtMatmulAlgoGetHeuristic");
            SmileException exception = Assert.ThrowsExactly<SmileException>(() => ProductCases.All.First().Run(backend, MatrixPrecision.Full));
            StringAssert.Contains(exception.Message, "cuBLAS status 15");
        }
        finally
        {
            EmulatedDriver.Fail(string.Empty);
        }
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
