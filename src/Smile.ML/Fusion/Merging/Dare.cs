namespace Smile.ML.Fusion.Merging;

/// <summary>
/// DARE (Yu et al., Language models are super Mario, arXiv 2311.03099): drop each entry of each task vector with probability p, divide
/// the others by 1 - p, then average, sum or TIES-merge. What is dropped depends on the seed and the names of expert and tensor alone.
/// </summary>
public sealed record Dare : MergeMethod
{
    /// <summary>Gets the probability p with which an entry is dropped.</summary>
    public double Drop { get; init; } = 0.5;

    /// <summary>Gets the seed of the random choice.</summary>
    public int Seed { get; init; }

    /// <summary>Gets how the sparse task vectors are combined.</summary>
    public CombineBy Combine { get; init; } = CombineBy.TaskArithmetic;

    /// <summary>Gets the share of entries, dropped ones counted, that TIES's trimming keeps; only used with <see cref="CombineBy.Ties"/>.</summary>
    public double Keep { get; init; } = 0.2;

    /// <summary>Gets the factor of the combination; null for 1 with <see cref="CombineBy.Average"/>, else 0.3.</summary>
    public double? Scale { get; init; }

    /// <inheritdoc/>
    public override string Name => "dare";

    /// <inheritdoc/>
    public override string Summary => "drop entries at random and rescale the rest, then combine";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("drop", "probability of dropping an entry (p)", Interval.UnitWithoutOne, Drop, value => this with { Drop = value }),
        MergeParameter.Integer("seed", "seed of the random choice", int.MinValue, Seed, value => this with { Seed = value }),
        MergeParameter.Choice("combine", "how the task vectors are combined", Combine, value => this with { Combine = value }),
        MergeParameter.Number("keep", "share kept by trimming, with combine=ties", Interval.UnitWithoutZero, Keep, value => this with { Keep = value }),
        MergeParameter.Number("scale", "factor of the combination (lambda), by default 1 with combine=average", Interval.Finite, ActualScale, value => this with { Scale = value }),
    ];

    private double ActualScale => Scale ?? Combine.DefaultScale();

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        TaskVectorFilter filter = DropEntries(taskVectors);
        if (Combine == CombineBy.Ties)
        {
            filter = MagnitudeTrim.Create(taskVectors, Keep, filter);
        }

        return new TaskVectorMerger(taskVectors, Combine.ToCombination(), ActualScale, _ => filter);
    }

    private TaskVectorFilter DropEntries(TaskVectors taskVectors) => (expert, block, values) =>
    {
        CounterRandom random = CounterRandom.Create(Seed, taskVectors.NameOf(expert), block.Tensor);
        float rescale = (float)(1 / (1 - Drop));
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = random[block.Start + i] < Drop ? 0 : values[i] * rescale;
        }
    };
}
