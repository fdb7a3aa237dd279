using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The largest singular values of a large float32 matrix by randomised block Krylov iteration (Musco and Musco, NeurIPS 2015): an
/// orthonormal basis Q of the span of A Z, A A^T A Z, ..., grown block by block, then the decomposition of A^T Q. Matrix products
/// are float32, everything small is float64. The residual comes within a few millionths of the best possible.
/// </summary>
internal static class BlockKrylovSvd
{
    // Stop when all further blocks together would lower the squared residual by less than this share of it, hence the residual by half as much.
    private const double SettledGain = 2e-5;

    // Gains below this share of the matrix's own energy are float32's rounding.
    private const double NoiseGain = 1e-12;

    // Gains shrink at least geometrically, but a first or second one says little, and rounding noise shrinks no more.
    private const double SlowestDecay = 0.9;
    private const double FastestDecay = 0.02;

    // Squared singular values closer than this, relatively, may be one and the same, found often.
    private const double EqualValues = 2e-3;

    private const int BlockUnit = 16;

    // Convergence is looked for when the space has grown by this share: each time costs its dimension cubed.
    private const double CheckGrowth = 0.07;

    /// <summary>Computes the largest singular values and their vectors.</summary>
    /// <param name="a">The matrix [m, n], its elements not far from 1.</param>
    /// <param name="energy">The sum of its elements' squares.</param>
    /// <param name="rank">The most values to return.</param>
    /// <param name="tolerance">Values not above this share of the largest are rounding noise and left out.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The values, largest first; their left vectors as rows [count, m]; their right vectors as rows [count, n].</returns>
    public static (double[] Values, Matrix Left, Matrix Right) Compute(
        PanelMatrix a, double energy, int rank, double tolerance, WorkerPool pool)
    {
        int block = BlockFor(rank);
        using var space = new KrylovSpace(a, block, pool);
        double captured = 0, gain = 0;
        bool settled = false, restarted = false;
        SymmetricEigen? eigen = null;
        int nextCheck = rank;
        while (!settled && space.Extend())
        {
            if (space.Count >= nextCheck)
            {
                (double before, double gainBefore) = (captured, gain);
                eigen = SymmetricEigen.Compute(space.CopyGram(), 0, pool.Cancellation);
                captured = eigen.Values.Take(rank).Sum();
                gain = before > 0 ? captured - before : 0;
                settled = before > 0 && FurtherGains(gain, gainBefore) <= Math.Max(SettledGain * (energy - captured), NoiseGain * energy);
                nextCheck = space.Count + (int)(CheckGrowth * space.Count);
                if (settled && !restarted && HasEqualValues(eigen.Values.AsSpan(0, rank), block))
                {
                    space.Restart();
                    settled = false;
                    restarted = true;
                }
                else
                {
                    restarted &= settled;
                }
            }
        }

        if (eigen?.Values.Length == space.Count)
        {
            eigen.FindVectors(rank, pool.Cancellation);
        }
        else
        {
            eigen = SymmetricEigen.Compute(space.CopyGram(), rank, pool.Cancellation);
        }

        int count = 0;
        while (count < eigen.Vectors.Length && eigen.Values[count] > tolerance * tolerance * eigen.Values[0])
        {
            count++;
        }

        double[] values = [.. eigen.Values.Take(count).Select(Math.Sqrt)];
        double[][] weights = eigen.Vectors[..count];
        PanelMatrix left = Combine(space.Basis, weights, pool);
        for (int i = 0; i < count; i++)
        {
            VectorAlgebra.Scale(1 / values[i], weights[i]);
        }

        PanelMatrix right = Combine(space.Image, weights, pool);
        using (left)
        using (right)
        {
            int orthonormal = Math.Min(left.Columns, right.Columns);
            left.Truncate(orthonormal);
            right.Truncate(orthonormal);
            return (values[..orthonormal], left.Transpose(), right.Transpose());
        }
    }

    /// <summary>
    /// Gets the columns to add at a time, in units of what the product's kernels take at once: the fewer, the smaller the space in which the
    /// wanted vectors are found, but the more often the matrix is read.
    /// </summary>
    public static int BlockFor(int rank) => Math.Max(1, (rank + (8 * BlockUnit) - 1) / (8 * BlockUnit)) * BlockUnit;

    /// <summary>Extrapolates the sum of all gains to come, as if they went on shrinking by as much as they did last.</summary>
    private static double FurtherGains(double gain, double gainBefore)
    {
        double ratio = gain < SlowestDecay * gainBefore ? Math.Max(gain / gainBefore, FastestDecay) : SlowestDecay;
        return gain * ratio / (1 - ratio);
    }

    /// <summary>
    /// Whether so many values are as good as equal. From a block of so many directions a Krylov space never gets more vectors of one value; there may
    /// be others.
    /// </summary>
    private static bool HasEqualValues(ReadOnlySpan<double> values, int count)
    {
        for (int i = count - 1; i < values.Length; i++)
        {
            if (values[i] > (1 - EqualValues) * values[i - count + 1])
            {
                return true;
            }
        }

        return false;
    }

    private static PanelMatrix Combine(PanelMatrix columns, double[][] weights, WorkerPool pool)
    {
        using PanelMatrix narrow = PanelMatrix.FromColumns(weights, columns.Columns);

        // Rounding tilts a vector towards those of larger singular values; turn it back.
        return Orthonormalization.Refine(PanelProducts.Multiply(columns, narrow, pool), pool);
    }
}
