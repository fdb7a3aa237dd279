namespace Smile.ML.Compute.Cpu;

/// <summary>A weight packed into panels, and its bias.</summary>
internal sealed class CpuDenseWeights(PackedMatrix weights, CpuTensor? bias) : DenseWeights
{
    public override int Outputs => weights.Columns;

    public override int Inputs => weights.Depth;

    /// <summary>Gets the packed weight.</summary>
    public PackedMatrix Weights => weights;

    /// <summary>Gets the bias [1, outputs], or null.</summary>
    public CpuTensor? Bias => bias;

    public override void Dispose()
    {
        weights.Dispose();
        bias?.Dispose();
    }
}
