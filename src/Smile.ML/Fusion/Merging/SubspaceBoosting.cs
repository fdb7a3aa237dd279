using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Subspace Boosting (Skorobogat et al., arXiv 2506.16506): merge by another method, then raise the small singular values of each linear
/// layer's merged delta U S V^T: with c the first index at which cumsum(s) / sum(s) reaches beta, s_i = max(s_i, s_c). Directions in which
/// the delta is rounding noise stay 0. Other tensors stay as the other method merged them.
/// </summary>
public sealed record SubspaceBoosting : MergeMethod
{
    /// <summary>Gets the method whose result is boosted.</summary>
    public MergeMethod Over { get; init; } = new TaskArithmetic();

    /// <summary>Gets the share of the singular values' sum after which they are raised.</summary>
    public double Beta { get; init; } = 0.01;

    /// <inheritdoc/>
    public override string Name => "subspace-boosting";

    /// <inheritdoc/>
    public override string Summary => "another method's result with its small singular values raised";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("beta", "share of the singular values' sum that is left alone", Interval.UnitWithoutZero, Beta, value => this with { Beta = value }),
        .. MergeParameter.Method("over", "the method whose result is boosted", Over, value => this with { Over = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => MergedDeltaAdjuster.Create(taskVectors, Over.Prepare(taskVectors), (_, merged) => Boost(merged, taskVectors));

    internal override void Validate()
    {
        base.Validate();
        Over.Validate();
    }

    private Matrix Boost(Matrix merged, TaskVectors taskVectors)
    {
        using TruncatedSvd svd = TruncatedSvd.Compute(merged, Math.Min(merged.Rows, merged.Columns), taskVectors.Threads);
        double[] values = svd.SingularValues;
        double total = values.Sum();
        double sum = 0;
        double floor = 0;
        foreach (double value in values)
        {
            sum += value;
            floor = value;
            if (sum >= Beta * total)
            {
                break;
            }
        }

        return SingularTriplets.MultiplyOut(
            svd.LeftTransposed, [.. values.Select(value => Math.Max(value, floor))], svd.RightTransposed, taskVectors.Threads);
    }
}
