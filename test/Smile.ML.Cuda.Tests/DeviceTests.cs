using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>On the machine's own GPU, or, where there is none, that this is said.</summary>
[TestClass]
public sealed class DeviceTests
{
    [TestMethod]
    public void OperationsFollowTheirFormulas()
    {
        CudaDevice device;
        try
        {
            device = CudaDevice.Open("cuda");
        }
        catch (SmileException exception)
        {
            Assert.Inconclusive(exception.Message);
            return;
        }

        foreach (MatrixPrecision precision in Enum.GetValues<MatrixPrecision>())
        {
            using var backend = new CudaBackend(device, new CudaOptions { Precision = precision, CheckMemory = true, Multiprocessors = 4 });
            foreach (OperationCase operation in OperationCase.All)
            {
                operation.Run(backend, precision);
            }
        }
    }
}
