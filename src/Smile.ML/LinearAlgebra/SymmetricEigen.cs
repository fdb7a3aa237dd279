using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
    /// <param name="cancellationToken">Ends the computation.</param>
    /// <returns>All eigenvalues, and the eigenvectors of the largest.</returns>
    public static SymmetricEigen Compute(double[][] rows, int vectors, CancellationToken cancellationToken = default)
    {
        int size = rows.Length;
        var eigen = new SymmetricEigen(size);
        eigen.Tridiagonalize(rows, cancellationToken);
        eigen.FindVectors(vectors, cancellationToken);
        return eigen;
    }

    /// <summary>Finds the eigenvalues again, with eigenvectors, at less than half the price of decomposing again.</summary>
    /// <param name="vectors">How many eigenvectors.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    public void FindVectors(int vectors, CancellationToken cancellationToken = default)
    {
        int size = _diagonal.Length;
        vectors = Math.Min(vectors, size);
        double[] diagonal = [.. _diagonal], offDiagonal = [.. _offDiagonal];

        // Few vectors are cheaper made from the rotations in the end, many by turning all along: row i of the basis becomes the
        // eigenvector of the value that ends on the diagonal's place i.
        double[][]? basis = vectors > size / 2 ? [.. Enumerable.Range(0, size).Select(i => UnitVector(size, i))] : null;
        using RotationList? rotations = vectors > 0 && basis is null ? new RotationList() : null;
        Action<Rotation>? rotate = rotations is null ? null : rotations.Add;
        if (basis is not null)
        {
            rotate = turn => VectorAlgebra.Rotate(basis[turn.Row], basis[turn.Row + 1], turn.Cosine, turn.Sine);
        }

        Diagonalize(diagonal, offDiagonal, rotate, cancellationToken);
        int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => diagonal[i])];
        Values = [.. order.Select(i => diagonal[i])];
        Vectors = rotations is null ? [.. order.Take(vectors).Select(i => basis![i])] : TridiagonalVectors(size, order.AsSpan(0, vectors), rotations, cancellationToken);
        foreach (double[] vector in Vectors)
        {
            cancellationToken.ThrowIfCancellationRequested();
            UndoReflections(vector);
        }
    }

    private static double[] UnitVector(int size, int place)
    {
        var vector = new double[size];
        vector[place] = 1;
        return vector;
    }

    /// <summary>
    /// Works on the lower triangle, from the last row up. Each reflection's update A - v w^T - w v^T is put off to the next step, which
    /// then reads every row once: to update it and to multiply it by the next v.
    /// </summary>
    private void Tridiagonalize(double[][] rows, CancellationToken cancellationToken)
    {
        int size = rows.Length;
        var none = new double[size];
        double[] v = none;
        var w = new double[size];
        var next = new double[size];
        for (int k = size - 1; k >= 0; k--)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<double> row = rows[k].AsSpan(0, k + 1);
            VectorAlgebra.AddScaled(-v[k], w.AsSpan(0, k + 1), -w[k], v.AsSpan(0, k + 1), row);
            _diagonal[k] = row[k];
            _reflectors[k] = k == 0 ? null : Reflector(row[..k], out _offDiagonal[k - 1]);
            double[] reflector = _reflectors[k] ?? none;
            Span<double> product = next.AsSpan(0, k);
            product.Clear();
            for (int i = 0; i < k; i++)
            {
                UpdateAndMultiply(rows[i].AsSpan(0, i + 1), v, w, reflector, product);
            }

            // H A H = A - v w^T - w v^T with p = A v and w = p - (p.v / 2) v.
            ReadOnlySpan<double> used = reflector.AsSpan(0, k);
            VectorAlgebra.AddScaled(-VectorAlgebra.Dot(product, used) / 2, used, product);
            v = reflector;
            (w, next) = (next, w);
        }
    }

    /// <summary>
    /// Updates the last row of a lower triangle by -v w^T - w v^T, and adds to a product what that row and, by symmetry, its column contribute
    /// to the multiplication of the whole by x.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateAndMultiply(Span<double> row, double[] v, double[] w, double[] x, Span<double> product)
    {
        int last = row.Length - 1;
        ref double rows = ref MemoryMarshal.GetReference(row);
        ref double vs = ref MemoryMarshal.GetArrayDataReference(v);
        ref double ws = ref MemoryMarshal.GetArrayDataReference(w);
        ref double xs = ref MemoryMarshal.GetArrayDataReference(x);
        ref double products = ref MemoryMarshal.GetReference(product);
        double a = -v[last], b = -w[last], f = x[last];
        Vector512<double> va = Vector512.Create(a), vb = Vector512.Create(b), vf = Vector512.Create(f);
        Vector512<double> dots = default;
        int i = 0;
        for (; i <= last - Vector512<double>.Count; i += Vector512<double>.Count)
        {
            nuint offset = (nuint)i;
            Vector512<double> updated = Vector512.FusedMultiplyAdd(va, Vector512.LoadUnsafe(ref ws, offset), Vector512.LoadUnsafe(ref rows, offset));
            updated = Vector512.FusedMultiplyAdd(vb, Vector512.LoadUnsafe(ref vs, offset), updated);
            updated.StoreUnsafe(ref rows, offset);
            dots = Vector512.FusedMultiplyAdd(updated, Vector512.LoadUnsafe(ref xs, offset), dots);
            Vector512.FusedMultiplyAdd(vf, updated, Vector512.LoadUnsafe(ref products, offset)).StoreUnsafe(ref products, offset);
        }

        double dot = VectorAlgebra.SumLanes(dots);
        for (; i < last; i++)
        {
            double updated = Math.FusedMultiplyAdd(b, v[i], Math.FusedMultiplyAdd(a, w[i], row[i]));
            row[i] = updated;
            dot = Math.FusedMultiplyAdd(updated, x[i], dot);
            product[i] = Math.FusedMultiplyAdd(f, updated, product[i]);
        }

        row[last] += 2 * a * w[last];
        product[last] += Math.FusedMultiplyAdd(row[last], f, dot);
    }

    /// <summary>
    /// Computes the v of length sqrt(2) whose reflection I - v v^T maps x onto its last element; null where x lies there already.
    /// </summary>
    private static double[]? Reflector(ReadOnlySpan<double> x, out double image)
    {
        double last = x[^1];
        image = last;
        double norm = Math.Sqrt(VectorAlgebra.Dot(x, x));
        if (norm == Math.Abs(last))
        {
            return null;
        }

        image = last > 0 ? -norm : norm;
        double tip = Math.Abs(last) + norm;
        double[] v = x.ToArray();
        v[^1] = last > 0 ? tip : -tip;
        VectorAlgebra.Scale(1 / Math.Sqrt(norm * tip), v);
        return v;
    }

    private static void Diagonalize(double[] d, double[] e, Action<Rotation>? rotate, CancellationToken cancellationToken)
    {
        double largest = 0;
        for (int i = 0; i < d.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(d[i]) + Math.Abs(e[i]));
        }

        for (int first = 0; first < d.Length; first++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int steps = 0;
            int last;
            while ((last = EndOfBlock(d, e, first, largest)) > first)
            {
                if (++steps > MaxStepsPerValue)
                {
                    throw new ArithmeticException($"The eigenvalues of a matrix of {d.Length} rows did not converge.");
                }

                QlStep(d, e, first, last, rotate);
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
    private static void QlStep(double[] d, double[] e, int first, int last, Action<Rotation>? rotate)
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
            rotate?.Invoke(new Rotation(i, c, s));
        }

        d[first] -= shift;
        e[first] = bulge;
        e[last] = 0;
    }

    /// <summary>
    /// Gets some eigenvectors of the tridiagonal matrix: of all rotations together the rows wanted, so that only those are ever computed.
    /// </summary>
    private static double[][] TridiagonalVectors(int size, ReadOnlySpan<int> places, RotationList rotations, CancellationToken cancellationToken)
    {
        int lanes = Vector512<double>.Count;
        var vectors = new double[places.Length][];
        var columns = new double[size * lanes];
        for (int start = 0; start < vectors.Length; start += lanes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = Math.Min(lanes, vectors.Length - start);
            columns.AsSpan().Clear();
            for (int j = 0; j < count; j++)
            {
                columns[(places[start + j] * lanes) + j] = 1;
            }

            UndoRotations(rotations.Span, columns);
            for (int j = 0; j < count; j++)
            {
                double[] vector = vectors[start + j] = new double[size];
                for (int i = 0; i < size; i++)
                {
                    vector[i] = columns[(i * lanes) + j];
                }
            }
        }

        return vectors;
    }

    /// <summary>Turns pairs of rows back, the last rotation first.</summary>
    /// <param name="rotations">The rotations.</param>
    /// <param name="rows">Rows of one vector each.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UndoRotations(ReadOnlySpan<Rotation> rotations, double[] rows)
    {
        ref double start = ref MemoryMarshal.GetArrayDataReference(rows);
        for (int r = rotations.Length - 1; r >= 0; r--)
        {
            ref readonly Rotation rotation = ref rotations[r];
            nuint offset = (nuint)(rotation.Row * Vector512<double>.Count);
            Vector512<double> c = Vector512.Create(rotation.Cosine), s = Vector512.Create(rotation.Sine);
            Vector512<double> x = Vector512.LoadUnsafe(ref start, offset);
            Vector512<double> y = Vector512.LoadUnsafe(ref start, offset + (nuint)Vector512<double>.Count);
            (c * x + s * y).StoreUnsafe(ref start, offset);
            (c * y - s * x).StoreUnsafe(ref start, offset + (nuint)Vector512<double>.Count);
        }
    }

    private void UndoReflections(double[] vector)
    {
        // A = H_last ... H_1 T H_1 ... H_last, so the shortest acts first.
        foreach (double[]? v in _reflectors)
        {
            if (v is not null)
            {
                Span<double> part = vector.AsSpan(0, v.Length);
                VectorAlgebra.AddScaled(-VectorAlgebra.Dot(v, part), v, part);
            }
        }
    }

    /// <summary>Turns rows i and i + 1 by an angle.</summary>
    private readonly record struct Rotation(int Row, double Cosine, double Sine);

    /// <summary>Rotations in the order they were made: megabytes, so from a pool and not for the garbage collector.</summary>
    private sealed class RotationList : IDisposable
    {
        private Rotation[] _items = ArrayPool<Rotation>.Shared.Rent(1 << 12);
        private int _count;

        public ReadOnlySpan<Rotation> Span => _items.AsSpan(0, _count);

        public void Add(Rotation rotation)
        {
            if (_count == _items.Length)
            {
                Rotation[] larger = ArrayPool<Rotation>.Shared.Rent(checked(2 * _count));
                Span.CopyTo(larger);
                ArrayPool<Rotation>.Shared.Return(_items);
                _items = larger;
            }

            _items[_count++] = rotation;
        }

        public void Dispose() => ArrayPool<Rotation>.Shared.Return(_items);
    }
}
