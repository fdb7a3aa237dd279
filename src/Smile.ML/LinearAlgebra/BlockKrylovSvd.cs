using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The largest singular values of a large float32 matrix by randomised block Krylov iteration (Musco and Musco, NeurIPS 2015): an
/// orthonormal basis Q of the span of A Z, A A^T A Z, ..., grown block by block, then the decomposition of Q^T A. Matrix products
/// are float32, everything small is float64. The residual comes within a few millionths of the best possible.
/// </summary>
internal static class BlockKrylovSvd
{
    // Stop when a block lowers the squared residual by less than this share of it. The next ones would bring ever smaller fractions of
    // that, and the residual itself gains half as much: some 1e-6.
    private const double SettledGain = 4e-6;

    // Gains below this share of the matrix's own energy are float32's rounding.
    private const double NoiseGain = 1e-12;

    private const int BlockUnit = 16;

    // Convergence is looked for when the space has grown by this share: each time costs its dimension cubed.
    private const double CheckGrowth = 0.07;

    /// <summary>Computes the largest singular values and their vectors.</summary>
    /// <param name="a">The matrix [m, n], its largest element near 1.</param>
    /// <param name="rank">The most values to return.</param>
    /// <param name="tolerance">Values not above this share of the largest are rounding noise and left out.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The values, largest first; their left vectors as rows [count, m]; their right vectors as rows [count, n].</returns>
    public static (double[] Values, Matrix Left, Matrix Right) Compute(Matrix a, int rank, double tolerance, WorkerPool pool)
    {
        int block = BlockFor(rank);
        using var space = new KrylovSpace(a, block, pool);
        double energy = a.View.Energy();
        double captured = 0;
        bool settled = false;
        SymmetricEigen? eigen = null;
        int nextCheck = rank + (2 * block);
        while (!settled && space.Extend())
        {
            if (space.Count >= nextCheck)
            {
                double before = captured;
                eigen = SymmetricEigen.Compute(space.CopyGram(), 0);
                captured = eigen.Values.Take(rank).Sum();
                double negligible = Math.Max(SettledGain * (energy - captured), NoiseGain * energy);
                settled = before > 0 && captured - before <= negligible;
                nextCheck = space.Count + (int)(CheckGrowth * space.Count);
            }
        }

        if (eigen?.Values.Length == space.Count)
        {
            eigen.FindVectors(rank);
        }
        else
        {
            eigen = SymmetricEigen.Compute(space.CopyGram(), rank);
        }

        int count = 0;
        while (count < eigen.Vectors.Length && eigen.Values[count] > tolerance * tolerance * eigen.Values[0])
        {
            count++;
        }

        double[] values = [.. eigen.Values.Take(count).Select(Math.Sqrt)];
        double[][] weights = eigen.Vectors[..count];
        Matrix left = Combine(weights, space.Basis, pool);
        for (int i = 0; i < count; i++)
        {
            VectorMath.Scale(1 / values[i], weights[i]);
        }

        Matrix right = Combine(weights, space.Image, pool);

        // Rounding tilts a vector towards those of larger singular values; turn it back.
        int orthonormal = Math.Min(Orthonormalization.Refine(left.View, pool), Orthonormalization.Refine(right.View, pool));
        return (values[..orthonormal], left.KeepRows(orthonormal), right.KeepRows(orthonormal));
    }

    /// <summary>
    /// Gets the rows to add at a time, in units of what the product's kernels take at once: the fewer, the smaller the space in which the
    /// wanted vectors are found, but the more often the matrix is read.
    /// </summary>
    public static int BlockFor(int rank) => Math.Max(1, (rank + (8 * BlockUnit) - 1) / (8 * BlockUnit)) * BlockUnit;

    private static Matrix Combine(double[][] weights, MatrixView rows, WorkerPool pool)
    {
        using Matrix narrow = Matrix.FromRows(weights, rows.Rows);
        return Matrix.Multiply(narrow.View, rows, pool);
    }
}
