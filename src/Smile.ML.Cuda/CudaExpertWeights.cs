using System.Runtime.InteropServices;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>The experts of one layer on a device.</summary>
/// <param name="queue">The stream of the work with them.</param>
/// <param name="outputs">Output features.</param>
/// <param name="inputs">Input features.</param>
/// <param name="routerRank">Router rows per expert.</param>
/// <param name="storage">How the elements of their factors lie in memory.</param>
/// <param name="entries">The experts in router order, as the device has them.</param>
/// <param name="table">The entries on the device.</param>
/// <param name="factors">All memory that the entries point to.</param>
internal sealed class CudaExpertWeights(
    CudaQueue queue,
    int outputs,
    int inputs,
    int routerRank,
    WeightStorage storage,
    CudaExpertWeights.Entry[] entries,
    DeviceMemory table,
    IReadOnlyList<DeviceMemory> factors)
    : ExpertWeights
{
    public override int Count => entries.Length;

    /// <summary>Gets the output features.</summary>
    public int Outputs => outputs;

    /// <summary>Gets the input features.</summary>
    public int Inputs => inputs;

    /// <summary>Gets the router rows per expert.</summary>
    public int RouterRank => routerRank;

    /// <summary>Gets how the elements of the factors lie in memory.</summary>
    public WeightStorage Storage => storage;

    /// <summary>Gets the address of the entries.</summary>
    public ulong Table => table.Address;

    /// <summary>Gets the largest rank of the low-rank experts; 0 where there are none.</summary>
    public int MaxRank { get; } = entries.Where(entry => entry.Dense == 0).Select(entry => entry.Rank).DefaultIfEmpty().Max();

    /// <summary>Gets the largest number of rows of svh that the router doesn't compute.</summary>
    public int MaxOwnRank { get; } = entries.Where(entry => entry.Dense == 0).Select(entry => entry.Rank - entry.Reused).DefaultIfEmpty().Max();

    /// <summary>Gets a value indicating whether any expert changes anything.</summary>
    public bool HasEffect { get; } = entries.Any(entry => entry.Up != 0 || entry.Bias != 0);

    public override void Dispose()
    {
        queue.TrySynchronize();
        table.Dispose();
        foreach (DeviceMemory memory in factors)
        {
            memory.Dispose();
        }
    }

    /// <summary>One expert, laid out as <c>Expert</c> in Kernels/experts.cuh.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Entry
    {
        public ulong Down;
        public ulong Up;
        public ulong Bias;
        public ulong RouterScales;
        public int Rank;
        public int Reused;
        public int Dense;
        public int Unused;
    }
}
