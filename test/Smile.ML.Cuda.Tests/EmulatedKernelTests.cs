using Smile.ML.Compute.Cpu;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>
/// Every kernel, through the backend, on the emulated device: poisoned memory, guarded allocations, threads in several random orders.
/// </summary>
[TestClass]
public sealed class EmulatedKernelTests
{
    public static IEnumerable<object[]> Cases => OperationCase.All.SelectMany(
        operation => operation.UsesPrecision ? Enum.GetValues<MatrixPrecision>() : [MatrixPrecision.Full],
        (operation, precision) => new object[] { operation.Name, precision.ToString() });

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void OperationsFollowTheirFormulas(string name, string precision)
    {
        OperationCase operation = OperationCase.All.Single(candidate => candidate.Name == name);
        MatrixPrecision matrix = Enum.Parse<MatrixPrecision>(precision);
        using var backend = new CudaBackend(EmulatedDriver.OpenDevice(), new CudaOptions { Precision = matrix, CheckMemory = true });
        for (uint seed = 1; seed <= 2; seed++)
        {
            EmulatedDriver.Seed(seed);
            operation.Run(backend, matrix);
            Assert.AreEqual(0, EmulatedDriver.BrokenGuards(), "allocations written beyond their ends");
        }
    }

    [TestMethod]
    public void TheCpuFollowsAttentionsFormulas()
    {
        using var backend = new CpuBackend();
        foreach (OperationCase operation in AttentionCases.All)
        {
            operation.Run(backend, MatrixPrecision.Full);
        }
    }

    [TestMethod]
    public void EveryMissingBarrierShows()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        Assert.IsFalse(AnyFails(device), "the kernels as they are");

        // A barrier is known once it has been reached.
        IReadOnlyList<string> barriers = EmulatedDriver.Barriers();
        Assert.IsTrue(barriers.Count >= 6, string.Join(", ", barriers));
        try
        {
            foreach (string barrier in barriers)
            {
                EmulatedDriver.SkipBarrier(barrier);
                Assert.IsTrue(AnyFails(device), $"nothing fails without {barrier}");
            }
        }
        finally
        {
            EmulatedDriver.SkipBarrier(null);
            EmulatedDriver.Recover();
        }
    }

    private static bool AnyFails(CudaDevice device)
        => ((MatrixPrecision[])[MatrixPrecision.Full, MatrixPrecision.Tf32]).Any(precision => AnyFails(device, precision));

    private static bool AnyFails(CudaDevice device, MatrixPrecision precision)
    {
        using var backend = new CudaBackend(device, new CudaOptions { Precision = precision, CheckMemory = true });
        foreach (OperationCase operation in OperationCase.All.Where(operation => operation.UsesPrecision || precision == MatrixPrecision.Full))
        {
            try
            {
                operation.Run(backend, precision);
            }
            catch (Exception exception) when (exception is OperationFailedException or SmileException)
            {
                EmulatedDriver.Recover();
                return true;
            }
        }

        return false;
    }
}
