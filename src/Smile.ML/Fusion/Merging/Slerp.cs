using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Spherical interpolation of two experts, tensor by tensor (Shoemake, SIGGRAPH 1985): sin((1 - t) O) / sin O * a + sin(t O) / sin O * b
/// with O the angle between a and b; linear where they are nearly parallel or one of them is zero. The pretrained model takes no part.
/// </summary>
public sealed record Slerp : MergeMethod
{
    /// <summary>Above this cosine, the sines' ratio is not worth its rounding errors.</summary>
    private const double NearlyParallel = 0.9995;

    /// <summary>Gets the place between the first expert (0) and the second (1).</summary>
    public double T { get; init; } = 0.5;

    /// <inheritdoc/>
    public override string Name => "slerp";

    /// <inheritdoc/>
    public override string Summary => "spherical interpolation between two experts";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("t", "place between the first expert (0) and the second (1)", Interval.Unit, T, value => this with { T = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => taskVectors.Count == 2
            ? new LinearCombinationMerger(taskVectors, tensor => Coefficients(taskVectors, tensor))
            : throw WrongExpertCount(taskVectors, "exactly 2 experts");

    private LinearCoefficients Coefficients(TaskVectors taskVectors, TensorInfo tensor)
    {
        double[,] products = InnerProducts.Compute(taskVectors, tensor, taskVectors.ReadExpert);
        double cosine = InnerProducts.Cosine(products, 0, 1);
        if (Math.Abs(cosine) > NearlyParallel || products[0, 0] == 0 || products[1, 1] == 0)
        {
            return new LinearCoefficients(0, [1 - T, T]);
        }

        double angle = Math.Acos(cosine);
        return new LinearCoefficients(0, [Math.Sin((1 - T) * angle) / Math.Sin(angle), Math.Sin(T * angle) / Math.Sin(angle)]);
    }
}
