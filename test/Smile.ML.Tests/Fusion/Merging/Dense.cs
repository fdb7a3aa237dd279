namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>Plain float64 matrix arithmetic for the tests' own formulas.</summary>
internal static class Dense
{
    public static double[,] Multiply(double[,] a, double[,] b)
    {
        var product = new double[a.GetLength(0), b.GetLength(1)];
        for (int i = 0; i < product.GetLength(0); i++)
        {
            for (int j = 0; j < product.GetLength(1); j++)
            {
                for (int k = 0; k < a.GetLength(1); k++)
                {
                    product[i, j] += a[i, k] * b[k, j];
                }
            }
        }

        return product;
    }

    public static double[,] Transpose(double[,] a) => Generate(a.GetLength(1), a.GetLength(0), (i, j) => a[j, i]);

    public static double[,] Add(double[,] a, double[,] b, double factor = 1)
        => Generate(a.GetLength(0), a.GetLength(1), (i, j) => a[i, j] + factor * b[i, j]);

    public static double[,] Sum(IEnumerable<double[,]> matrices) => matrices.Aggregate((a, b) => Add(a, b));

    public static double[,] Diagonal(IReadOnlyList<double> values) => Generate(values.Count, values.Count, (i, j) => i == j ? values[i] : 0);

    public static double[,] SideBySide(IEnumerable<double[,]> matrices) => matrices.Aggregate((a, b) => Generate(
        a.GetLength(0), a.GetLength(1) + b.GetLength(1), (i, j) => j < a.GetLength(1) ? a[i, j] : b[i, j - a.GetLength(1)]));

    public static double[,] Columns(double[,] a, int start, int count) => Generate(a.GetLength(0), count, (i, j) => a[i, start + j]);

    public static double Energy(double[,] a) => a.Cast<double>().Sum(value => value * value);

    public static double[,] Generate(int rows, int columns, Func<int, int, double> element)
    {
        var result = new double[rows, columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                result[i, j] = element(i, j);
            }
        }

        return result;
    }

    /// <summary>The thin singular value decomposition of a matrix of full rank, by Hestenes's one-sided rotations.</summary>
    public static (double[,] U, double[] S, double[,] V) Svd(double[,] a)
    {
        if (a.GetLength(0) < a.GetLength(1))
        {
            (double[,] u, double[] s, double[,] v) = Svd(Transpose(a));
            return (v, s, u);
        }

        int rows = a.GetLength(0), columns = a.GetLength(1);
        double[,] work = (double[,])a.Clone();
        double[,] right = Diagonal([.. Enumerable.Repeat(1.0, columns)]);
        for (int sweep = 0; sweep < 60; sweep++)
        {
            for (int p = 0; p < columns; p++)
            {
                for (int q = p + 1; q < columns; q++)
                {
                    double pp = 0, qq = 0, pq = 0;
                    for (int i = 0; i < rows; i++)
                    {
                        pp += work[i, p] * work[i, p];
                        qq += work[i, q] * work[i, q];
                        pq += work[i, p] * work[i, q];
                    }

                    double angle = 0.5 * Math.Atan2(2 * pq, pp - qq);
                    Rotate(work, p, q, angle);
                    Rotate(right, p, q, angle);
                }
            }
        }

        double[] norms = [.. Enumerable.Range(0, columns).Select(j => Math.Sqrt(Enumerable.Range(0, rows).Sum(i => work[i, j] * work[i, j])))];
        int[] order = [.. Enumerable.Range(0, columns).OrderByDescending(j => norms[j])];
        return (
            Generate(rows, columns, (i, j) => work[i, order[j]] / norms[order[j]]),
            [.. order.Select(j => norms[j])],
            Generate(columns, columns, (i, j) => right[i, order[j]]));
    }

    /// <summary>U diag(s) V^T.</summary>
    public static double[,] MultiplyOut(double[,] u, IReadOnlyList<double> s, double[,] v) => Multiply(Multiply(u, Diagonal(s)), Transpose(v));

    /// <summary>The matrix with orthonormal columns nearest to one of full column rank.</summary>
    public static double[,] PolarFactor(double[,] a)
    {
        (double[,] u, double[] s, double[,] v) = Svd(a);
        return MultiplyOut(u, [.. s.Select(_ => 1.0)], v);
    }

    private static void Rotate(double[,] a, int p, int q, double angle)
    {
        (double sine, double cosine) = Math.SinCos(angle);
        for (int i = 0; i < a.GetLength(0); i++)
        {
            (a[i, p], a[i, q]) = (cosine * a[i, p] + sine * a[i, q], cosine * a[i, q] - sine * a[i, p]);
        }
    }
}
