using Smile.ML.LinearAlgebra;

namespace Smile.ML.Analysis;

/// <summary>How two experts' factors of one layer lie to each other, from k x k products in float64.</summary>
internal static class SubspaceAngles
{
    /// <summary>Computes the mean squared cosine of the principal angles of the leading right singular subspaces; 0 where one is empty.</summary>
    public static double Overlap(TruncatedSvd a, TruncatedSvd b, int rank)
    {
        double[][] products = Products(a.RightTransposed, b.RightTransposed, rank);
        int smaller = Math.Min(Math.Min(rank, a.Rank), Math.Min(rank, b.Rank));
        return smaller > 0 ? Math.Min(1, products.Sum(row => row.Sum(value => value * value)) / smaller) : 0;
    }

    /// <summary>Computes the cosines of the principal angles, largest first: the singular values of V_a^T V_b (Björck and Golub, 1973).</summary>
    public static IReadOnlyList<double> Cosines(TruncatedSvd a, TruncatedSvd b, int rank)
    {
        double[][] products = Products(a.RightTransposed, b.RightTransposed, rank);
        if (products.Length == 0 || products[0].Length == 0)
        {
            return [];
        }

        // The smaller of M M^T and M^T M: its eigenvalues are the squared cosines.
        double[][] rows = products.Length <= products[0].Length ? products : Transpose(products);
        double[][] gram = [.. rows.Select(x => rows.Select(y => VectorAlgebra.Dot(x, y)).ToArray())];
        return [.. SymmetricEigen.Compute(gram, 0).Values.Select(square => Math.Sqrt(Math.Clamp(square, 0, 1)))];
    }

    /// <summary>Computes the cosine of the smallest principal angle; 0 where one subspace is empty.</summary>
    public static double LargestCosine(TruncatedSvd a, TruncatedSvd b, int rank)
        => Cosines(a, b, rank) is { Count: > 0 } cosines ? cosines[0] : 0;

    /// <summary>
    /// Computes the cosine of two deltas cut to a rank: &lt;D_a, D_b&gt; = tr(S_a (U_a^T U_b) S_b (V_b^T V_a)), over their norms; 0 where
    /// one is zero.
    /// </summary>
    public static double DeltaCosine(TruncatedSvd a, TruncatedSvd b, int rank)
    {
        double[][] left = Products(a.LeftTransposed, b.LeftTransposed, rank), right = Products(a.RightTransposed, b.RightTransposed, rank);
        double inner = 0;
        for (int i = 0; i < left.Length; i++)
        {
            for (int j = 0; j < left[i].Length; j++)
            {
                inner += a.SingularValues[i] * b.SingularValues[j] * left[i][j] * right[i][j];
            }
        }

        double norms = Norm(a, rank) * Norm(b, rank);
        return norms > 0 ? Math.Clamp(inner / norms, -1, 1) : 0;
    }

    private static double Norm(TruncatedSvd svd, int rank) => Math.Sqrt(svd.SingularValues.Take(rank).Sum(value => value * value));

    /// <summary>The inner products of the first rows of one matrix with those of another.</summary>
    private static double[][] Products(Matrix a, Matrix b, int rank)
    {
        double[][] rowsA = a.ToRows(rank), rowsB = b.ToRows(rank);
        return [.. rowsA.Select(x => rowsB.Select(y => VectorAlgebra.Dot(x, y)).ToArray())];
    }

    private static double[][] Transpose(double[][] rows)
        => [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Select(row => row[column]).ToArray())];
}
