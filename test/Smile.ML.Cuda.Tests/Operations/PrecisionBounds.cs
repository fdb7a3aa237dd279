namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>The stated accuracy of matrix products.</summary>
internal static class PrecisionBounds
{
    /// <summary>Gets the bound on a sum's error, relative to the sum of its terms' magnitudes.</summary>
    /// <param name="precision">How the products are computed.</param>
    /// <param name="depth">The number of terms; each addition rounds.</param>
    public static double Of(MatrixPrecision precision, int depth) => (depth * Math.Pow(2, -24)) + precision switch
    {
        MatrixPrecision.Full => 0,
        MatrixPrecision.Tf32x3 => 1e-6,
        MatrixPrecision.BFloat16x3 => 1.6e-5,
        MatrixPrecision.Tf32 => 1e-3,

        // The inputs here are seldom below float16's normal numbers, and then beside large ones.
        MatrixPrecision.Float16 => 1.1e-3,
        _ => 4e-3,
    };
}
