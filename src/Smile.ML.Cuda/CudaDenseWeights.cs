using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>A weight on a device, row by row.</summary>
internal sealed class CudaDenseWeights(CudaQueue queue, int outputs, int inputs, CudaMatrix weight, DeviceMemory? bias) : DenseWeights
{
    public override int Outputs => outputs;

    public override int Inputs => inputs;

    /// <summary>Gets the weight [outputs, inputs].</summary>
    public ulong Weight => weight.Memory.Address;

    /// <summary>Gets how its elements lie in memory.</summary>
    public WeightStorage Storage => weight.Storage;

    /// <summary>Gets the bias [outputs], or 0.</summary>
    public ulong Bias => bias?.Address ?? 0;

    public override void Dispose()
    {
        queue.TrySynchronize();
        weight.Memory.Dispose();
        bias?.Dispose();
    }
}
