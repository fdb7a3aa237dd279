namespace Smile.ML.Fusion.Merging;

/// <summary>The weighted mean of the experts, sum_t w_t theta_t / sum_t w_t.</summary>
public sealed record WeightedAverage : MergeMethod
{
    /// <summary>Gets one weight per expert, in the pool's order; of any sum. There is no default.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <inheritdoc/>
    public override string Name => "weighted-average";

    /// <inheritdoc/>
    public override string Summary => "the weighted mean of the experts' parameters";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Weights("weights", "one weight per expert, in the pool's order", Weights, value => this with { Weights = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        if (Weights.Count != taskVectors.Count)
        {
            throw new SmileException($"{Name}: weights has {Weights.Count} values; expected {taskVectors.Count}, one per expert of {taskVectors.Location}.");
        }

        if (!double.IsFinite(Weights.Sum()))
        {
            throw new SmileException($"{Name}: weights is {string.Join(',', Weights)}; expected numbers whose sum is finite.");
        }

        LinearCoefficients coefficients = LinearCoefficients.Proportional(Weights);
        return new LinearCombinationMerger(taskVectors, _ => coefficients);
    }
}
