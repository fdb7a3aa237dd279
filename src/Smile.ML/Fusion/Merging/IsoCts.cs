using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Iso-CTS (Marczak et al., No task left behind, arXiv 2502.04959): of each linear layer, the leading singular triplets of sum_t D_t
/// (the common subspace U_c) are joined by every task's leading ones of (I - U_c U_c^T) D_t; the vectors are made orthogonal by their
/// polar factors, the values replaced by their mean. Directions that are rounding noise stay 0. Other tensors take the mean task vector.
/// Both are scaled and added to theta_0.
/// </summary>
public sealed record IsoCts : MergeMethod
{
    /// <summary>
    /// Gets the common subspace's share of the min(m, n) directions. The rest is shared out evenly among the tasks, what doesn't divide
    /// evenly rounded to the nearest.
    /// </summary>
    public double Common { get; init; } = 0.8;

    /// <summary>Gets the factor of the merged task vector, the paper's alpha; 1 to 1.5 is usual.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "iso-cts";

    /// <inheritdoc/>
    public override string Summary => "as iso-c, the weakest directions replaced by the tasks' own";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("common", "share of the directions that is common", Interval.Unit, Common, value => this with { Common = value }),
        MergeParameter.Number("scale", "factor of the merged task vector (alpha)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new LinearLayerMerger(taskVectors, layer => MergeLayer(taskVectors, layer), Scale);

    private Matrix MergeLayer(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        int full = Math.Min(layer.Outputs, layer.Inputs);
        int perTask = Math.Min((int)Math.Round((full - (int)(Common * full)) / (double)taskVectors.Count), full / taskVectors.Count);
        int common = full - perTask * taskVectors.Count;
        using var triplets = new SingularTriplets(layer.Outputs, layer.Inputs, full);
        using Matrix sum = taskVectors.SumDeltas(layer);
        using TruncatedSvd shared = TruncatedSvd.Compute(sum, common, taskVectors.Threads);
        triplets.Add(shared, common);
        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
            using Matrix own = RemoveDirections(delta.ToMatrix(), shared.LeftTransposed, taskVectors);
            using TruncatedSvd svd = TruncatedSvd.Compute(own, perTask, taskVectors.Threads);

            // Where the common directions hold all of D_t, only rounding noise is left, and the mean value would raise it.
            double noise = TruncatedSvd.RelativeTolerance(layer.Outputs, layer.Inputs) * Math.Sqrt(delta.ToMatrix().View.Energy());
            triplets.Add(svd, svd.SingularValues.Count(value => value > noise));
        }

        double mean = triplets.Values.Sum() / full;
        return triplets.MultiplyOutOrthogonalized([.. triplets.Values.Select(_ => mean)], taskVectors.Threads);
    }

    /// <summary>Computes D - U U^T D from U^T [r, m] and D [m, n].</summary>
    private static Matrix RemoveDirections(Matrix delta, Matrix directions, TaskVectors taskVectors)
    {
        var rest = new Matrix(delta.Rows, delta.Columns);
        delta.View.CopyTo(rest.View);
        if (directions.Rows == 0)
        {
            return rest;
        }

        using Matrix components = Matrix.Multiply(directions.View, delta.View, taskVectors.Threads);
        using Matrix transposed = directions.Transpose();
        using Matrix projection = Matrix.Multiply(transposed.View, components.View, taskVectors.Threads);
        for (int row = 0; row < rest.Rows; row++)
        {
            Span<float> to = rest.Row(row);
            ReadOnlySpan<float> from = projection.Row(row);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] -= from[i];
            }
        }

        return rest;
    }
}
