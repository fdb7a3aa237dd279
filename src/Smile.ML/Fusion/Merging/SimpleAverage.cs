namespace Smile.ML.Fusion.Merging;

/// <summary>The mean of the experts, 1/T sum_t theta_t, the pretrained model not counted (Wortsman et al., Model soups, arXiv 2203.05482).</summary>
public sealed record SimpleAverage : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "simple-average";

    /// <inheritdoc/>
    public override string Summary => "the mean of the experts' parameters";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters => [];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        LinearCoefficients equal = LinearCoefficients.Proportional([.. Enumerable.Repeat(1.0, taskVectors.Count)]);
        return new LinearCombinationMerger(taskVectors, _ => equal);
    }
}
