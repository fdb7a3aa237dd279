using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Singular value calibration (Li et al., When shared knowledge hurts, arXiv 2602.05536): merge by another method, then undo what shared
/// directions were counted more than once. Of each linear layer's merged delta D = U S V^T, task t's response in direction r is
/// a_rt = u_r^T D_t, its coefficient c_rt = (u_r^T D) . a_rt / ||a_rt||^2, and s_r becomes s_r * T / sum_t max(alpha, c_rt). A task without
/// any response has coefficient 0. Other tensors stay as the other method merged them.
/// </summary>
public sealed record SingularValueCalibration : MergeMethod
{
    /// <summary>Gets the method whose result is calibrated.</summary>
    public MergeMethod Over { get; init; } = new TaskArithmetic();

    /// <summary>Gets the least coefficient that counts; larger values leave less room to grow.</summary>
    public double Alpha { get; init; } = 0.1;

    /// <inheritdoc/>
    public override string Name => "svc";

    /// <inheritdoc/>
    public override string Summary => "another method's result with over-counted directions scaled back";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("alpha", "least coefficient that counts", Interval.UnitWithoutZero, Alpha, value => this with { Alpha = value }),
        .. MergeParameter.Method("over", "the method whose result is calibrated", Over, value => this with { Over = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => MergedDeltaAdjuster.Create(taskVectors, Over.Prepare(taskVectors), (layer, merged) => Calibrate(layer, merged, taskVectors));

    internal override void Validate()
    {
        base.Validate();
        Over.Validate();
    }

    private Matrix Calibrate(LinearLayerInfo layer, Matrix merged, TaskVectors taskVectors)
    {
        using TruncatedSvd svd = TruncatedSvd.Compute(merged, Math.Min(merged.Rows, merged.Columns), taskVectors.Threads);
        if (svd.Rank == 0)
        {
            return new Matrix(layer.Outputs, layer.Inputs);
        }

        var sums = new double[svd.Rank];
        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
            using Matrix responses = Matrix.Multiply(svd.LeftTransposed.View, delta.ToMatrix().View, taskVectors.Threads);
            double noise = Math.Pow(TruncatedSvd.RelativeTolerance(layer.Outputs, layer.Inputs), 2) * delta.ToMatrix().View.Energy();
            for (int r = 0; r < sums.Length; r++)
            {
                sums[r] += Math.Max(Alpha, Coefficient(svd.SingularValues[r], svd.RightTransposed.Row(r), responses.Row(r), noise));
            }
        }

        double[] values = [.. svd.SingularValues.Zip(sums, (value, sum) => value * taskVectors.Count / sum)];
        return SingularTriplets.MultiplyOut(svd.LeftTransposed, values, svd.RightTransposed, taskVectors.Threads);
    }

    /// <summary>c_rt; the merged response u_r^T D is s_r v_r^T. A response up to the noise's energy is none: dividing by it would mean anything.</summary>
    private static double Coefficient(double singularValue, ReadOnlySpan<float> right, ReadOnlySpan<float> response, double noise)
    {
        double product = 0;
        double energy = 0;
        for (int i = 0; i < response.Length; i++)
        {
            product += (double)right[i] * response[i];
            energy += (double)response[i] * response[i];
        }

        return energy > noise ? singularValue * product / energy : 0;
    }
}
