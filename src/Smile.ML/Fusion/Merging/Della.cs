using System.Globalization;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// DELLA (Deep et al., arXiv 2406.11617): keep an entry with a probability that grows linearly with its magnitude's rank in its row, from
/// density - epsilon to density + epsilon, divide what stays by that probability, elect signs as TIES does and merge the entries that
/// agree. A vector is one row. What is dropped depends on the seed and the names of expert and tensor alone.
/// </summary>
public sealed record Della : MergeMethod
{
    /// <summary>Gets the mean probability of keeping an entry.</summary>
    public double Density { get; init; } = 0.5;

    /// <summary>Gets how far the probability reaches below and above the density.</summary>
    public double Epsilon { get; init; } = 0.1;

    /// <summary>Gets the seed of the random choice.</summary>
    public int Seed { get; init; }

    /// <summary>Gets what becomes of the entries that have the elected sign.</summary>
    public AgreeingEntries Agreeing { get; init; } = AgreeingEntries.Mean;

    /// <summary>Gets the factor of the merged task vector, the paper's lambda.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "della";

    /// <inheritdoc/>
    public override string Summary => "drop entries at random, small ones more often, rescale, elect signs";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("density", "mean probability of keeping an entry", Interval.UnitWithoutZero, Density, value => this with { Density = value }),
        MergeParameter.Number("epsilon", "reach of the probability around the density", Interval.UnitWithoutOne, Epsilon, value => this with { Epsilon = value }),
        MergeParameter.Integer("seed", "seed of the random choice", int.MinValue, Seed, value => this with { Seed = value }),
        MergeParameter.Choice("merge", "what becomes of agreeing entries", Agreeing, value => this with { Agreeing = value }),
        MergeParameter.Number("scale", "factor of the merged task vector (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        TaskVectorFilter filter = DropByRank(taskVectors);
        return new TaskVectorMerger(taskVectors, Combinations.Elect(Agreeing), Scale, _ => filter);
    }

    internal override void Validate()
    {
        base.Validate();
        if (Density - Epsilon <= 0 || Density + Epsilon > 1)
        {
            throw new SmileException(string.Create(
                CultureInfo.InvariantCulture,
                $"{Name}: density is {Density} and epsilon {Epsilon}; expected density - epsilon above 0 and density + epsilon at most 1."));
        }
    }

    private TaskVectorFilter DropByRank(TaskVectors taskVectors) => (expert, block, values) =>
    {
        CounterRandom random = CounterRandom.Create(Seed, taskVectors.NameOf(expert), block.Tensor);
        var order = new ulong[block.RowLength];
        for (int start = 0; start < values.Length; start += block.RowLength)
        {
            Span<float> row = values.Slice(start, block.RowLength);
            RankByMagnitude(row, order);
            for (int rank = 0; rank < order.Length; rank++)
            {
                int i = (int)(uint)order[rank];
                double share = order.Length > 1 ? (double)rank / (order.Length - 1) : 0.5;
                double keep = Density - Epsilon + 2 * Epsilon * share;
                row[i] = random[block.Start + start + i] < keep ? (float)(row[i] / keep) : 0;
            }
        }
    };

    /// <summary>Sorts a row's indices by magnitude, equal magnitudes by index: a magnitude's bits are ordered as it is.</summary>
    private static void RankByMagnitude(ReadOnlySpan<float> row, ulong[] order)
    {
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = ((ulong)BitConverter.SingleToUInt32Bits(MathF.Abs(row[i])) << 32) | (uint)i;
        }

        Array.Sort(order);
    }
}
