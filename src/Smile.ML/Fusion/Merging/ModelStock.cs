using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Model Stock (Jang et al., arXiv 2403.19522): per tensor (1 - r) theta_0 + r * mean_t theta_t, r = T cos / ((T - 1) cos + 1), cos the
/// mean cosine between two task vectors. A mean cosine below 0, where the formula has no meaning, counts as 0.
/// </summary>
public sealed record ModelStock : MergeMethod
{
    /// <inheritdoc/>
    public override string Name => "model-stock";

    /// <inheritdoc/>
    public override string Summary => "between pretrained model and average, by the angle of the task vectors";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters => [];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => taskVectors.Count >= 2
            ? new LinearCombinationMerger(taskVectors, tensor => Coefficients(taskVectors, tensor))
            : throw WrongExpertCount(taskVectors, "2 experts or more");

    private static LinearCoefficients Coefficients(TaskVectors taskVectors, TensorInfo tensor)
    {
        int count = taskVectors.Count;
        double[,] products = InnerProducts.Compute(taskVectors, tensor, taskVectors.Read);
        double sum = 0;
        for (int a = 0; a < count; a++)
        {
            for (int b = 0; b < a; b++)
            {
                sum += InnerProducts.Cosine(products, a, b);
            }
        }

        double cosine = Math.Max(0, sum / (count * (count - 1) / 2.0));
        double ratio = count * cosine / ((count - 1) * cosine + 1);
        return new LinearCoefficients(1 - ratio, [.. Enumerable.Repeat(ratio / count, count)]);
    }
}
