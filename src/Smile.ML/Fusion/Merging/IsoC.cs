using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Iso-C (Marczak et al., No task left behind, arXiv 2502.04959): of each linear layer, sum_t D_t = U S V^T becomes mean(S) U V^T, the
/// mean over all min(m, n) singular values. Directions in which the sum is rounding noise stay 0. Other tensors take the mean task
/// vector. Both are scaled and added to theta_0.
/// </summary>
public sealed record IsoC : MergeMethod
{
    /// <summary>Gets the factor of the merged task vector, the paper's alpha; 1 to 1.5 is usual.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "iso-c";

    /// <inheritdoc/>
    public override string Summary => "the summed task vectors with all singular values made equal";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("scale", "factor of the merged task vector (alpha)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new LinearLayerMerger(taskVectors, layer => MergeLayer(taskVectors, layer), Scale);

    private static Matrix MergeLayer(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        int full = Math.Min(layer.Outputs, layer.Inputs);
        using Matrix sum = taskVectors.SumDeltas(layer);
        using TruncatedSvd svd = TruncatedSvd.Compute(sum, full, taskVectors.Threads);
        double mean = svd.SingularValues.Sum() / full;
        return SingularTriplets.MultiplyOut(
            svd.LeftTransposed, [.. Enumerable.Repeat(mean, svd.Rank)], svd.RightTransposed, taskVectors.Threads);
    }
}
