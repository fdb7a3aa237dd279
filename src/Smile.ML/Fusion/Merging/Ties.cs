namespace Smile.ML.Fusion.Merging;

/// <summary>
/// TIES (Yadav et al., arXiv 2306.01708): trim each task vector to its entries of largest magnitude over the whole model, elect each
/// entry's sign from the sum, sum or average the entries of that sign, and add the result, scaled, to theta_0. An entry whose sum is
/// exactly 0 has no sign and stays at theta_0.
/// </summary>
public sealed record Ties : MergeMethod
{
    /// <summary>Gets the share of entries that trimming keeps.</summary>
    public double Keep { get; init; } = 0.2;

    /// <summary>Gets what becomes of the entries that have the elected sign.</summary>
    public AgreeingEntries Agreeing { get; init; } = AgreeingEntries.Sum;

    /// <summary>Gets the factor of the merged task vector, the paper's lambda.</summary>
    public double Scale { get; init; } = 0.3;

    /// <inheritdoc/>
    public override string Name => "ties";

    /// <inheritdoc/>
    public override string Summary => "trim small entries, elect signs, merge the entries that agree";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("keep", "share of each task vector that is kept", Interval.UnitWithoutZero, Keep, value => this with { Keep = value }),
        MergeParameter.Choice("merge", "what becomes of agreeing entries", Agreeing, value => this with { Agreeing = value }),
        MergeParameter.Number("scale", "factor of the merged task vector (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        TaskVectorFilter trim = MagnitudeTrim.Create(taskVectors, Keep);
        return new TaskVectorMerger(taskVectors, Combinations.Elect(Agreeing), Scale, _ => trim);
    }
}
