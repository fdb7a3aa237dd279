namespace Smile.ML.Fusion.Merging;

/// <summary>The coefficients of a linear combination of models.</summary>
/// <param name="Pretrained">The pretrained model's.</param>
/// <param name="Experts">Each expert's.</param>
internal readonly record struct LinearCoefficients(double Pretrained, double[] Experts)
{
    /// <summary>Makes coefficients in proportion to weights, summing to 1, without the pretrained model.</summary>
    public static LinearCoefficients Proportional(IReadOnlyList<double> weights)
    {
        double total = weights.Sum();
        return new LinearCoefficients(0, [.. weights.Select(weight => weight / total)]);
    }
}
