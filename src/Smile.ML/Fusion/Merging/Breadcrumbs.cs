using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Model Breadcrumbs (Davari and Belilovsky, arXiv 2312.06795): in each tensor of each task vector, drop the share gamma of largest
/// magnitude and so many of the smallest that the density remains, then average, sum, or merge by sign election. Magnitudes equal to a
/// bound stay.
/// </summary>
public sealed record Breadcrumbs : MergeMethod
{
    /// <summary>Gets the share of entries that stays. Where it and gamma exceed 1 together, nothing is dropped at the bottom.</summary>
    public double Density { get; init; } = 0.15;

    /// <summary>Gets the share of entries of largest magnitude that is dropped.</summary>
    public double Gamma { get; init; } = 0.01;

    /// <summary>Gets how the sparse task vectors are combined.</summary>
    public CombineBy Combine { get; init; } = CombineBy.TaskArithmetic;

    /// <summary>Gets the factor of the combination; null for 1 with <see cref="CombineBy.Average"/>, else 0.3.</summary>
    public double? Scale { get; init; }

    /// <inheritdoc/>
    public override string Name => "breadcrumbs";

    /// <inheritdoc/>
    public override string Summary => "drop the largest and the smallest entries of each tensor, then combine";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("density", "share of the entries that stays", Interval.UnitWithoutZero, Density, value => this with { Density = value }),
        MergeParameter.Number("gamma", "share of largest entries that is dropped", Interval.UnitWithoutOne, Gamma, value => this with { Gamma = value }),
        MergeParameter.Choice("combine", "how the task vectors are combined", Combine, value => this with { Combine = value }),
        MergeParameter.Number("scale", "factor of the combination (lambda), by default 1 with combine=average", Interval.Finite, ActualScale, value => this with { Scale = value }),
    ];

    private double ActualScale => Scale ?? Combine.DefaultScale();

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new TaskVectorMerger(taskVectors, Combine.ToCombination(), ActualScale, tensor => Mask(taskVectors, tensor));

    private TaskVectorFilter Mask(TaskVectors taskVectors, TensorInfo tensor)
    {
        // At least one entry stays, however small the tensor.
        long count = tensor.ElementCount;
        long top = Math.Min((long)(Gamma * count), count - 1);
        long bottom = Math.Clamp(count - top - Math.Max(1, (long)Math.Round(Density * count)), 0, count - top - 1);
        var smallest = new float[taskVectors.Count];
        var largest = new float[taskVectors.Count];
        taskVectors.Threads.For(taskVectors.Count, expert =>
        {
            var lower = new MagnitudeSelection(bottom);
            var upper = new MagnitudeSelection(count - top - 1);
            for (int pass = 0; pass < MagnitudeSelection.Passes; pass++)
            {
                foreach (TensorBlock block in TensorBlock.Split(tensor))
                {
                    var values = new float[block.Length];
                    taskVectors.Read(expert, block, values);
                    lower.Count(values);
                    upper.Count(values);
                }

                lower.EndPass();
                upper.EndPass();
            }

            smallest[expert] = lower.Result;
            largest[expert] = upper.Result;
        });
        return (expert, _, values) => MagnitudeTrim.KeepBetween(values, smallest[expert], largest[expert]);
    }
}
