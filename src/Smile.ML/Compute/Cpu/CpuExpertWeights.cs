namespace Smile.ML.Compute.Cpu;

/// <summary>The experts of one layer, packed.</summary>
internal sealed class CpuExpertWeights(int outputs, int routerRank, CpuExpertWeights.Expert[] experts) : ExpertWeights
{
    public override int Count => experts.Length;

    /// <summary>Gets the output features.</summary>
    public int Outputs => outputs;

    /// <summary>Gets the router rows per expert: expert e's gate outputs start at column e times this.</summary>
    public int RouterRank => routerRank;

    /// <summary>Gets the experts in router order.</summary>
    public ReadOnlySpan<Expert> Experts => experts;

    public override void Dispose()
    {
        foreach (Expert expert in experts)
        {
            expert.Down?.Dispose();
            expert.Up?.Dispose();
            expert.Bias?.Dispose();
        }
    }

    /// <summary>One expert.</summary>
    /// <param name="Down">The rows of svh that the router doesn't compute, or null where there are none.</param>
    /// <param name="Up">u, or the dense delta; null where the expert only has a bias.</param>
    /// <param name="RouterScales">Factors from router outputs to the first rows of svh x.</param>
    /// <param name="Rank">Columns of u; for a dense expert its inputs.</param>
    /// <param name="Bias">The bias delta [1, outputs], or null.</param>
    public sealed record Expert(PackedMatrix? Down, PackedMatrix? Up, float[] RouterScales, int Rank, CpuTensor? Bias)
    {
        /// <summary>Gets a value indicating whether Up takes the layer's input itself.</summary>
        public bool IsDense => Up is not null && Down is null && RouterScales.Length == 0;
    }
}
