namespace Smile.ML.Fusion.Merging;

/// <summary>theta_0 + scale * sum_t tau_t (Ilharco et al., Editing models with task arithmetic, arXiv 2212.04089).</summary>
public sealed record TaskArithmetic : MergeMethod
{
    /// <summary>Gets the factor of the task vectors, the paper's lambda. About 0.3 for 8 experts, 0.1 for 20; 1 / T averages.</summary>
    public double Scale { get; init; } = 0.3;

    /// <inheritdoc/>
    public override string Name => "task-arithmetic";

    /// <inheritdoc/>
    public override string Summary => "the pretrained model plus the scaled sum of the task vectors";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("scale", "factor of the sum (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors) => new TaskVectorMerger(taskVectors, Combinations.Sum, Scale);
}
