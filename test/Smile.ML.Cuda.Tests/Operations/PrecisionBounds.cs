namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>The stated accuracy of matrix products.</summary>
internal static class PrecisionBounds
{
    /// <summary>Gets the bound on a sum's error, relative to the sum of its terms' magnitudes.</summary>
    /// <param name="precision">How the products are computed.</param>
    /// <param name="depth">The number of terms; each addition rounds.</param>
    /// <param name="byCublasLt">Whether by cuBLASLt, of which it is not known that it rounds to tf32 and doesn't cut.</param>
    public static double Of(MatrixPrecision precision, int depth, bool byCublasLt = false) => (depth * Math.Pow(2, -24)) + precision switch
    {
        MatrixPrecision.Full => 0,
        MatrixPrecision.Tf32x3 => 1e-6,

        // Both rests rounded, 2^-17 each, and their product left out, 2^-16.
        MatrixPrecision.BFloat16x3 => 3.1e-5,
        MatrixPrecision.Tf32 => byCublasLt ? 1.5e-3 : 1e-3,

        // The inputs here are seldom below float16's normal numbers, and then beside large ones.
        MatrixPrecision.Float16 => 1.1e-3,

        // Half of the last of 8 bits, 2^-8, for each factor.
        _ => 8e-3,
    };
}
