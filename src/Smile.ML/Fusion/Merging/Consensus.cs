namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Consensus merging by TALL masks (Wang et al., Localizing task information, arXiv 2405.07813): an entry matters to task t where
/// |tau_t| >= threshold * |tau - tau_t| with tau = sum_t tau_t; entries that matter to enough tasks stay, the others go back to theta_0.
/// </summary>
public sealed record Consensus : MergeMethod
{
    /// <summary>Gets how large a task's own entry must be beside the others', the paper's lambda of the masks. 0.2 to 0.6 is usual.</summary>
    public double Threshold { get; init; } = 0.4;

    /// <summary>Gets how many tasks an entry must matter to.</summary>
    public int Agreement { get; init; } = 2;

    /// <summary>Gets the factor of the merged task vector.</summary>
    public double Scale { get; init; } = 0.3;

    /// <inheritdoc/>
    public override string Name => "consensus";

    /// <inheritdoc/>
    public override string Summary => "task arithmetic without the entries that matter to too few tasks (TALL masks)";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("threshold", "size of an entry beside the other tasks'", Interval.NonNegative, Threshold, value => this with { Threshold = value }),
        MergeParameter.Integer("agreement", "tasks that an entry must matter to", 1, Agreement, value => this with { Agreement = value }),
        MergeParameter.Number("scale", "factor of the merged task vector (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => taskVectors.Count >= Agreement
            ? new TaskVectorMerger(taskVectors, Agree, Scale)
            : throw WrongExpertCount(taskVectors, $"{Agreement} experts or more, its agreement");

    private void Agree(float[][] taskVectors, double[] merged)
    {
        Combinations.Sum(taskVectors, merged);
        for (int i = 0; i < merged.Length; i++)
        {
            int tasks = 0;
            foreach (float[] taskVector in taskVectors)
            {
                tasks += Math.Abs(taskVector[i]) >= Threshold * Math.Abs(merged[i] - taskVector[i]) ? 1 : 0;
            }

            merged[i] = tasks >= Agreement ? merged[i] : 0;
        }
    }
}
