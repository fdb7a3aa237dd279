using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>Makes float32 columns orthonormal by Cholesky QR, its small matrices in float64.</summary>
internal static class Orthonormalization
{
    // A column that loses more of its squared length than this to those before it has none of its own left in float32.
    private const double SmallestPivot = 1e-9;

    // Directions in which the columns reach less than this, squared and relative to the strongest, are rounding noise.
    private const double SmallestEigenvalue = 1e-12;

    /// <summary>Makes an orthonormal basis of the columns' span.</summary>
    /// <param name="columns">The columns. Taken over.</param>
    /// <param name="passes">The least number of passes: two reach float32's precision from any start, one from a good start.</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="products">The columns' inner products with each other, where they are known.</param>
    /// <returns>The basis; it may have fewer columns.</returns>
    public static PanelMatrix MakeBasis(PanelMatrix columns, int passes, WorkerPool pool, double[][]? products = null)
    {
        for (int pass = 0; pass < passes && columns.Columns > 0; pass++)
        {
            double[][] gram = products ?? GramMatrix.Compute(columns, pool.Cancellation);
            products = null;
            double[][] transform = InverseCholesky(gram);
            if (transform.Length < gram.Length)
            {
                transform = Whitening(gram, pool.Cancellation);
                passes = Math.Max(passes, pass + 2);
            }

            columns = Apply(transform, columns, pool);
        }

        return columns;
    }

    /// <summary>Makes each column orthogonal to those before it and of unit length (Gram-Schmidt's result), up to the first that depends on them.</summary>
    /// <param name="columns">The columns, nearly orthonormal. Taken over.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The columns that are orthonormal.</returns>
    public static PanelMatrix Refine(PanelMatrix columns, WorkerPool pool)
        => Apply(InverseCholesky(GramMatrix.Compute(columns, pool.Cancellation)), columns, pool);

    /// <summary>
    /// Computes the rows of the inverse of L, where L L^T is the Gram matrix, up to the first pivot that vanishes.
    /// </summary>
    private static double[][] InverseCholesky(double[][] gram)
    {
        int size = gram.Length;
        var factor = new double[size][];
        var inverse = new double[size][];
        double largest = Largest(gram);
        for (int i = 0; i < size; i++)
        {
            double[] row = factor[i] = new double[i + 1];
            for (int j = 0; j < i; j++)
            {
                row[j] = (gram[i][j] - VectorAlgebra.Dot(row.AsSpan(0, j), factor[j].AsSpan(0, j))) / factor[j][j];
            }

            double pivot = gram[i][i] - VectorAlgebra.Dot(row.AsSpan(0, i), row.AsSpan(0, i));
            if (!(pivot > SmallestPivot * gram[i][i] && gram[i][i] > SmallestEigenvalue * largest))
            {
                return inverse[..i];
            }

            row[i] = Math.Sqrt(pivot);
            double[] result = inverse[i] = new double[size];
            for (int j = 0; j < i; j++)
            {
                VectorAlgebra.AddScaled(-row[j], inverse[j].AsSpan(0, j + 1), result.AsSpan(0, j + 1));
            }

            result[i] = 1;
            VectorAlgebra.Scale(1 / row[i], result.AsSpan(0, i + 1));
        }

        return inverse;
    }

    /// <summary>The principal directions of dependent columns, scaled to unit length.</summary>
    private static double[][] Whitening(double[][] gram, CancellationToken cancellationToken)
    {
        SymmetricEigen eigen = SymmetricEigen.Compute(gram, gram.Length, cancellationToken);
        int kept = 0;
        while (kept < eigen.Values.Length && eigen.Values[kept] > SmallestEigenvalue * eigen.Values[0])
        {
            VectorAlgebra.Scale(1 / Math.Sqrt(eigen.Values[kept]), eigen.Vectors[kept]);
            kept++;
        }

        return eigen.Vectors[..kept];
    }

    private static double Largest(double[][] gram)
    {
        double largest = 0;
        for (int i = 0; i < gram.Length; i++)
        {
            largest = Math.Max(largest, gram[i][i]);
        }

        return largest;
    }

    private static PanelMatrix Apply(double[][] transform, PanelMatrix columns, WorkerPool pool)
    {
        using (columns)
        {
            using PanelMatrix narrow = PanelMatrix.FromColumns(transform, columns.Columns);
            return PanelProducts.Multiply(columns, narrow, pool);
        }
    }
}
