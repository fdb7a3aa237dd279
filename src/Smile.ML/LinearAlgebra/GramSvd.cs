using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The largest singular values of a matrix of float32 by the eigenvectors of A^T A, in float64. Squaring loses half of the digits: what is left are
/// more than float32 had, for singular values above its rounding. For matrices that are too large for <see cref="JacobiSvd"/> to be fast, and small
/// enough that all eigenvalues cost little: then no vector waits for an iteration to settle.
/// </summary>
internal static class GramSvd
{
    /// <summary>Computes the largest singular values and their vectors.</summary>
    /// <param name="columns">The matrix's columns, no more of them than they are long.</param>
    /// <param name="rank">The most values to return.</param>
    /// <param name="tolerance">Values not above this share of the largest are rounding noise and left out.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The values, largest first; their left vectors, as long as a column; their right vectors.</returns>
    public static (double[] Values, double[][] Left, double[][] Right) Compute(double[][] columns, int rank, double tolerance, WorkerPool pool)
    {
        var gram = new double[columns.Length][];
        var products = new GramRows(columns, gram);
        pool.For(columns.Length, ref products);
        for (int i = 0; i < gram.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                gram[j][i] = gram[i][j];
            }
        }

        SymmetricEigen eigen = SymmetricEigen.Compute(gram, rank, pool.Cancellation);
        double[] values = [.. eigen.Values.Take(rank).TakeWhile(value => value > tolerance * tolerance * eigen.Values[0]).Select(Math.Sqrt)];
        double[][] right = eigen.Vectors[..values.Length];
        var left = new double[values.Length][];
        var combinations = new LeftVectors(columns, values, right, left);
        pool.For(left.Length, ref combinations);
        return (values, left, right);
    }

    private readonly struct GramRows(double[][] columns, double[][] gram) : IParallelWork
    {
        public void Execute(int index)
        {
            var row = new double[columns.Length];
            for (int j = 0; j <= index; j++)
            {
                row[j] = VectorAlgebra.Dot(columns[index], columns[j]);
            }

            gram[index] = row;
        }
    }

    /// <summary>u = A v / s.</summary>
    private readonly struct LeftVectors(double[][] columns, double[] values, double[][] right, double[][] left) : IParallelWork
    {
        public void Execute(int index)
        {
            var vector = new double[columns[0].Length];
            for (int j = 0; j < columns.Length; j++)
            {
                VectorAlgebra.AddScaled(right[index][j] / values[index], columns[j], vector);
            }

            left[index] = vector;
        }
    }
}
