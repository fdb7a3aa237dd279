using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// TSV-M (Gargiulo et al., Task singular vectors, arXiv 2412.00081): of each linear layer, every task's first min(m, n) / T singular
/// triplets are put side by side, the left and the right vectors made orthogonal by their polar factors, and U S V^T multiplied out.
/// Other tensors take the mean task vector. Both are scaled and added to theta_0.
/// </summary>
public sealed record TaskSingularVectors : MergeMethod
{
    /// <summary>Gets the factor of the merged task vector, the paper's alpha.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "tsv-m";

    /// <inheritdoc/>
    public override string Summary => "every task's leading singular vectors, made orthogonal to each other";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("scale", "factor of the merged task vector (alpha)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new LinearLayerMerger(taskVectors, layer => MergeLayer(taskVectors, layer), Scale);

    private static Matrix MergeLayer(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        int perTask = Math.Max(1, Math.Min(layer.Outputs, layer.Inputs) / taskVectors.Count);
        using var triplets = new SingularTriplets(layer.Outputs, layer.Inputs, perTask * taskVectors.Count);
        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
            using TruncatedSvd svd = delta.Factorize(perTask, keepNullSpace: false, taskVectors.Threads);
            triplets.Add(svd, perTask);
        }

        return triplets.MultiplyOutOrthogonalized(triplets.Values, taskVectors.Threads);
    }
}
