using System.Runtime.CompilerServices;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Eigenvalues and eigenvectors of a symmetric matrix in float64: Householder reflections to tridiagonal form, then the QL algorithm with
/// implicit shifts (Parlett, The Symmetric Eigenvalue Problem, chapters 7 and 8).
/// </summary>
internal sealed class SymmetricEigen
{
    private const double RoundingUnit = 1.1102230246251565e-16;

    // Two on average.
    private const int MaxStepsPerValue = 100;

    private readonly double[] _diagonal;
    private readonly double[] _offDiagonal;
    private readonly double[]?[] _reflectors;

    private SymmetricEigen(int size)
    {
        _diagonal = new double[size];
        _offDiagonal = new double[size];
        _reflectors = new double[]?[size];
    }

    /// <summary>Gets the eigenvalues, largest first.</summary>
    public double[] Values { get; private set; } = [];

    /// <summary>Gets the eigenvectors of the largest eigenvalues, as many as were asked for.</summary>
    public double[][] Vectors { get; private set; } = [];

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="rows">The rows of the matrix. Overwritten.</param>
    /// <param name="vectors">How many eigenvectors to return.</param>
    /// <returns>All eigenvalues, and the eigenvectors of the largest.</returns>
    public static SymmetricEigen Compute(double[][] rows, int vectors)
    {
        int size = rows.Length;
        var eigen = new SymmetricEigen(size);
        eigen.Tridiagonalize(rows);
        eigen.FindVectors(vectors);
        return eigen;
    }

    /// <summary>Finds the eigenvalues again, with eigenvectors, at less than half the price of decomposing again.</summary>
    /// <param name="vectors">How many eigenvectors.</param>
    public void FindVectors(int vectors)
    {
        int size = _diagonal.Length;
        double[] diagonal = [.. _diagonal], offDiagonal = [.. _offDiagonal];

        // Row i becomes the eigenvector of the value that ends on the diagonal's place i.
        double[][] basis = [];
        if (vectors > 0)
        {
            basis = new double[size][];
            for (int i = 0; i < size; i++)
            {
                basis[i] = new double[size];
                basis[i][i] = 1;
            }
        }

        Diagonalize(diagonal, offDiagonal, basis);

        int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => diagonal[i])];
        Values = [.. order.Select(i => diagonal[i])];
        Vectors = [.. order.Take(Math.Min(vectors, size)).Select(i => basis[i])];
        foreach (double[] vector in Vectors)
        {
            UndoReflections(vector);
        }
    }

    /// <summary>
    /// Works on the lower triangle, from the last row up. Each reflection's update A - v w^T - w v^T is put off to the next step, which
    /// then reads every row once: to update it and to multiply it by the next v.
    /// </summary>
    private void Tridiagonalize(double[][] rows)
    {
        int size = rows.Length;
        double[]? v = null;
        var w = new double[size];
        var next = new double[size];
        for (int k = size - 1; k >= 0; k--)
        {
            Span<double> row = rows[k].AsSpan(0, k + 1);
            UpdateRow(row, k, v, w);
            _diagonal[k] = row[k];
            double[]? reflector = k == 0 ? null : Reflector(row[..k], out _offDiagonal[k - 1]);
            _reflectors[k] = reflector;
            Span<double> product = next.AsSpan(0, k);
            product.Clear();
            for (int i = 0; i < k; i++)
            {
                Span<double> other = rows[i].AsSpan(0, i + 1);
                UpdateRow(other, i, v, w);
                if (reflector is not null)
                {
                    product[i] += VectorMath.Dot(other, reflector.AsSpan(0, i + 1));
                    VectorMath.AddScaled(reflector[i], other[..i], product[..i]);
                }
            }

            // H A H = A - v w^T - w v^T with p = A v and w = p - (p.v / 2) v.
            if (reflector is not null)
            {
                VectorMath.AddScaled(-VectorMath.Dot(product, reflector) / 2, reflector, product);
            }

            v = reflector;
            (w, next) = (next, w);
        }
    }

    private static void UpdateRow(Span<double> row, int index, double[]? v, double[] w)
    {
        if (v is not null)
        {
            VectorMath.AddScaled(-v[index], w.AsSpan(0, row.Length), -w[index], v.AsSpan(0, row.Length), row);
        }
    }

    /// <summary>
    /// Computes the v of length sqrt(2) whose reflection I - v v^T maps x onto its last element; null where x lies there already.
    /// </summary>
    private static double[]? Reflector(ReadOnlySpan<double> x, out double image)
    {
        double last = x[^1];
        image = last;
        double norm = Math.Sqrt(VectorMath.Dot(x, x));
        if (norm == Math.Abs(last))
        {
            return null;
        }

        image = last > 0 ? -norm : norm;
        double tip = Math.Abs(last) + norm;
        double[] v = x.ToArray();
        v[^1] = last > 0 ? tip : -tip;
        VectorMath.Scale(1 / Math.Sqrt(norm * tip), v);
        return v;
    }

    private static void Diagonalize(double[] d, double[] e, double[][] basis)
    {
        double largest = 0;
        for (int i = 0; i < d.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(d[i]) + Math.Abs(e[i]));
        }

        for (int first = 0; first < d.Length; first++)
        {
            int steps = 0;
            int last;
            while ((last = EndOfBlock(d, e, first, largest)) > first)
            {
                if (++steps > MaxStepsPerValue)
                {
                    throw new ArithmeticException($"The eigenvalues of a matrix of {d.Length} rows did not converge.");
                }

                QlStep(d, e, first, last, basis);
            }
        }
    }

    /// <summary>Finds the first negligible off-diagonal element at or after a place.</summary>
    private static int EndOfBlock(double[] d, double[] e, int first, double largest)
    {
        int last = first;
        while (last < d.Length - 1)
        {
            double neighbours = Math.Abs(d[last]) + Math.Abs(d[last + 1]);
            if (!(Math.Abs(e[last]) > RoundingUnit * (neighbours + 1e-3 * largest)))
            {
                break;
            }

            last++;
        }

        return last;
    }

    /// <summary>One implicit QL step with Wilkinson's shift on the block [first, last]: rotations chase a bulge upwards.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void QlStep(double[] d, double[] e, int first, int last, double[][] basis)
    {
        double ratio = (d[first + 1] - d[first]) / (2 * e[first]);
        double root = Math.Sqrt(ratio * ratio + 1);
        double bulge = d[last] - d[first] + e[first] / (ratio + (ratio >= 0 ? root : -root));
        double c = 1, s = 1, shift = 0;
        for (int i = last - 1; i >= first; i--)
        {
            double f = s * e[i];
            double b = c * e[i];
            double length = Math.Sqrt(f * f + bulge * bulge);
            e[i + 1] = length;
            if (length == 0)
            {
                // The block has split: deflate and start again.
                d[i + 1] -= shift;
                e[last] = 0;
                return;
            }

            s = f / length;
            c = bulge / length;
            bulge = d[i + 1] - shift;
            double t = (d[i] - bulge) * s + 2 * c * b;
            shift = s * t;
            d[i + 1] = bulge + shift;
            bulge = c * t - b;
            if (basis.Length > 0)
            {
                VectorMath.Rotate(basis[i], basis[i + 1], c, s);
            }
        }

        d[first] -= shift;
        e[first] = bulge;
        e[last] = 0;
    }

    private void UndoReflections(double[] vector)
    {
        // A = H_last ... H_1 T H_1 ... H_last, so the shortest acts first.
        foreach (double[]? v in _reflectors)
        {
            if (v is not null)
            {
                Span<double> part = vector.AsSpan(0, v.Length);
                VectorMath.AddScaled(-VectorMath.Dot(v, part), v, part);
            }
        }
    }
}
