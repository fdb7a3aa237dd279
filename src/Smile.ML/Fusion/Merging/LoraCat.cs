namespace Smile.ML.Fusion.Merging;

/// <summary>
/// LoRA CAT (Prabhakar et al., LoRA soups, arXiv 2410.13025): the experts' adapters side by side, B = [a_1 B_1 ... a_T B_T] and
/// A = [A_1; ...; A_T], so that B A = sum_t a_t B_t A_t without the cross terms that averaging factors brings. Here the product is added
/// to theta_0, computed from the factors. What else adapters change (biases, whole modules) is added with the same weights.
/// </summary>
public sealed record LoraCat : MergeMethod
{
    /// <summary>Gets each adapter's factor a_t, in the pool's order, taken as it is; none for 1/T each.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <inheritdoc/>
    public override string Name => "lora-cat";

    /// <inheritdoc/>
    public override string Summary => "LoRA adapters side by side, each with its weight";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Weights("weights", "one factor per adapter, in the pool's order; 1/T each by default", Weights, value => this with { Weights = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        taskVectors.RequireAdapters(Name);
        double[] weights = Weights.Count == 0 ? [.. Enumerable.Repeat(1.0 / taskVectors.Count, taskVectors.Count)] : [.. Weights];
        if (weights.Length != taskVectors.Count)
        {
            throw new SmileException($"{Name}: weights has {weights.Length} values; expected {taskVectors.Count}, one per expert of {taskVectors.Location}.");
        }

        return new LinearLayerMerger(
            taskVectors,
            layer => taskVectors.SumDeltas(layer, weights),
            scale: 1,
            new TaskVectorMerger(taskVectors, (pieces, merged) => Combinations.WeightedSum(pieces, weights, merged), scale: 1));
    }
}
