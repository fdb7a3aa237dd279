namespace Smile.ML.Fusion.Merging;

/// <summary>
/// MagMax (Marczak et al., arXiv 2407.06322): of each entry, the task vectors' value of largest magnitude; of equal magnitudes of
/// different signs the positive one.
/// </summary>
public sealed record MagMax : MergeMethod
{
    /// <summary>Gets the factor of the merged task vector, the paper's lambda.</summary>
    public double Scale { get; init; } = 0.5;

    /// <inheritdoc/>
    public override string Name => "magmax";

    /// <inheritdoc/>
    public override string Summary => "of each entry the value of largest magnitude";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("scale", "factor of the merged task vector (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors) => new TaskVectorMerger(taskVectors, LargestMagnitude, Scale);

    private static void LargestMagnitude(float[][] taskVectors, double[] merged)
    {
        for (int i = 0; i < merged.Length; i++)
        {
            float largest = 0;
            foreach (float[] taskVector in taskVectors)
            {
                largest = MathF.MaxMagnitude(largest, taskVector[i]);
            }

            merged[i] = largest;
        }
    }
}
