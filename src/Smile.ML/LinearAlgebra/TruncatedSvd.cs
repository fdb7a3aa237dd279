using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The largest singular values of a matrix and their vectors: A is nearly the sum of s_i u_i v_i^T. Each pair of vectors has the sign that
/// makes v_i's element of largest magnitude positive. The same matrix gives the same bits for any number of threads.
/// </summary>
internal sealed class TruncatedSvd : IDisposable
{
    // Up to this many rows or columns, the most accurate route is also fast.
    private const int SmallDimension = 128;

    // Up to this many, all eigenvalues of the Gram matrix cost little.
    private const int MediumDimension = 256;

    // Where more than this share of the singular vectors are wanted, an iteration would have to build the whole space.
    private const double NearlyFull = 0.4;

    private const ulong CompletionSeed = 0x6E756C6C;

    private TruncatedSvd(double[] singularValues, Matrix leftTransposed, Matrix rightTransposed)
    {
        SingularValues = singularValues;
        LeftTransposed = leftTransposed;
        RightTransposed = rightTransposed;
    }

    /// <summary>Gets the number of singular values; 0 for a zero matrix.</summary>
    public int Rank => SingularValues.Length;

    /// <summary>Gets the singular values, largest first.</summary>
    public double[] SingularValues { get; }

    /// <summary>Gets the left singular vectors as rows: [Rank, m], row i is u_i.</summary>
    public Matrix LeftTransposed { get; }

    /// <summary>Gets the right singular vectors as rows: [Rank, n], row i is v_i.</summary>
    public Matrix RightTransposed { get; }

    /// <summary>
    /// Gets the share of the largest singular value up to which a singular value counts as rounding noise of float32:
    /// 2^-23 sqrt(max(m, n)).
    /// </summary>
    /// <param name="rows">The matrix's rows, m.</param>
    /// <param name="columns">The matrix's columns, n.</param>
    /// <returns>The share.</returns>
    /// <remarks>
    /// Independent rounding errors e in an m x n matrix have singular values up to e (sqrt(m) + sqrt(n)) (Bai and Yin), against a largest
    /// value of rms sqrt(m n / rank) for the matrix itself. So for a matrix of low rank that was rounded once, this threshold leaves a
    /// margin of sqrt(m n / rank), which is what lets it catch the noise of a difference of two much larger float32 weights too. The
    /// customary 2^-23 max(m, n) would bound the worst case, but at thousands of rows it cuts into what fine-tuning really changed.
    /// </remarks>
    public static double RelativeTolerance(int rows, int columns) => Math.Sqrt(Math.Max(rows, columns)) / (1 << 23);

    /// <summary>Estimates from above the memory that <see cref="Compute(Matrix, int, WorkerPool, bool)"/> takes beside the matrix, its result included.</summary>
    /// <param name="rows">The matrix's rows.</param>
    /// <param name="columns">The matrix's columns.</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <returns>Bytes.</returns>
    public static long WorkingBytes(int rows, int columns, int rank)
    {
        int smaller = Math.Min(rows, columns);
        long elements = (long)rows * columns;
        if (!Iterates(rows, columns, rank))
        {
            // In float64 the columns, the left vectors, and rows and rotations as many and as long as the smaller dimension; a transpose
            // in float32 while the columns are copied.
            return (2 * elements * sizeof(double)) + (2L * smaller * smaller * sizeof(double)) + (elements * sizeof(float));
        }

        // The matrix in panels, and the basis and its image, as large as noise makes them, twice over while they are enlarged.
        int basis = (int)Math.Min(smaller, 2 * ((6L * rank) + 256));
        return PanelMatrix.Bytes(rows, columns) + (2 * (PanelMatrix.Bytes(rows, basis) + PanelMatrix.Bytes(columns, basis)));
    }

    /// <summary>Estimates from above the memory that <see cref="OfProduct"/> takes beside the factors, its result included.</summary>
    /// <param name="rows">The product's rows.</param>
    /// <param name="columns">The product's columns.</param>
    /// <param name="inner">The factors' common dimension.</param>
    /// <returns>Bytes.</returns>
    public static long WorkingBytesOfProduct(int rows, int columns, int inner)
        => ((long)rows + columns + (4L * inner)) * inner * (2 * sizeof(double) + 2 * sizeof(float));

    /// <summary>Tells whether a matrix is decomposed by iteration, and not in full.</summary>
    /// <param name="rows">The matrix's rows.</param>
    /// <param name="columns">The matrix's columns.</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <returns>Whether it is large, and no large share of its singular values is wanted.</returns>
    public static bool Iterates(int rows, int columns, int rank)
    {
        int smaller = Math.Min(rows, columns);
        return smaller > MediumDimension && rank > 0 && rank <= NearlyFull * smaller;
    }

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="a">The matrix [m, n].</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="keepNullSpace">
    /// Whether to return min(rank, m, n) vectors even where the numerical rank is lower; those beyond it are orthonormal but otherwise
    /// arbitrary (the same every time), with singular values that are 0 or rounding noise. Without it, <see cref="Rank"/> is at most the
    /// number of singular values above <see cref="RelativeTolerance"/>.
    /// </param>
    /// <returns>The decomposition.</returns>
    /// <exception cref="ArgumentException">The matrix holds a NaN or an infinity.</exception>
    public static TruncatedSvd Compute(Matrix a, int rank, WorkerPool pool, bool keepNullSpace = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 0);
        int smaller = Math.Min(a.Rows, a.Columns);
        int wanted = Math.Min(rank, smaller);
        if (Iterates(a.Rows, a.Columns, rank))
        {
            using PanelMatrix panels = PanelMatrix.FromRows(a.Rows, a.Columns, a, pool, out double energy);
            if (!double.IsFinite(energy))
            {
                CheckedMagnitude(a, nameof(a));
            }

            return Compute(panels, energy, rank, pool, keepNullSpace);
        }

        if (CheckedMagnitude(a, nameof(a)) == 0 || wanted == 0)
        {
            return Finish([], new Matrix(0, a.Rows), new Matrix(0, a.Columns), keepNullSpace ? wanted : 0, pool.Cancellation);
        }

        bool tall = a.Rows >= a.Columns;
        double[][] columns = tall ? Columns(a) : a.ToRows();
        (double[] values, double[][] left, double[][] right) = smaller is > SmallDimension and <= MediumDimension && wanted <= NearlyFull * smaller
            ? GramSvd.Compute(columns, wanted, RelativeTolerance(a.Rows, a.Columns), pool)
            : JacobiSvd.Compute(columns, Math.Max(a.Rows, a.Columns), wanted, pool);
        return FromFloat64(values, tall ? left : right, tall ? right : left, a.Rows, a.Columns, wanted, keepNullSpace, pool.Cancellation);
    }

    /// <summary>Decomposes a matrix in panels, of a shape that <see cref="Iterates"/> holds of.</summary>
    /// <param name="a">The matrix [m, n], all finite. Temporarily multiplied by a power of 2 where needed.</param>
    /// <param name="energy">The sum of its elements' squares.</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="keepNullSpace">As for the other overload.</param>
    /// <returns>The decomposition.</returns>
    public static TruncatedSvd Compute(PanelMatrix a, double energy, int rank, WorkerPool pool, bool keepNullSpace = false)
    {
        int wanted = Math.Min(rank, Math.Min(a.Rows, a.Columns));
        if (energy == 0)
        {
            return Finish([], new Matrix(0, a.Rows), new Matrix(0, a.Columns), keepNullSpace ? wanted : 0, pool.Cancellation);
        }

        // float32 products under- or overflow far from 1.
        int exponent = Math.ILogB(energy / ((double)a.Rows * a.Columns)) / 2;
        exponent = Math.Abs(exponent) > 30 ? exponent : 0;
        a.ScaleByPowerOfTwo(-exponent);
        (double[] values, Matrix left, Matrix right) =
            BlockKrylovSvd.Compute(a, Math.ScaleB(energy, -2 * exponent), wanted, RelativeTolerance(a.Rows, a.Columns), pool);
        a.ScaleByPowerOfTwo(exponent);
        return Finish([.. values.Select(value => Math.ScaleB(value, exponent))], left, right, keepNullSpace ? wanted : 0, pool.Cancellation);
    }

    /// <summary>Decomposes scale * B A without forming the product: exact to float64's rounding.</summary>
    /// <param name="b">[m, r].</param>
    /// <param name="a">[r, n].</param>
    /// <param name="scale">A factor.</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="keepNullSpace">As for <see cref="Compute(Matrix, int, WorkerPool, bool)"/>.</param>
    /// <returns>The decomposition of the product [m, n].</returns>
    /// <exception cref="ArgumentException">B's columns are not as many as A's rows, or a factor is NaN or infinite.</exception>
    public static TruncatedSvd OfProduct(
        Matrix b, Matrix a, double scale, int rank, WorkerPool pool, bool keepNullSpace = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 0);
        if (b.Columns != a.Rows)
        {
            throw new ArgumentException($"A product of [{b.Rows}, {b.Columns}] and [{a.Rows}, {a.Columns}].", nameof(a));
        }

        if (!double.IsFinite(scale))
        {
            throw new ArgumentException($"The scale is {scale}.", nameof(scale));
        }

        int wanted = Math.Min(rank, Math.Min(b.Rows, a.Columns));
        if (CheckedMagnitude(b, nameof(b)) * CheckedMagnitude(a, nameof(a)) * scale == 0 || wanted == 0)
        {
            return Finish([], new Matrix(0, b.Rows), new Matrix(0, a.Columns), keepNullSpace ? wanted : 0, pool.Cancellation);
        }

        // B = Qb Rb and A^T = Qa Ra, so B A = Qb (Rb Ra^T) Qa^T, with a core no larger than r x r.
        var left = new PivotedQr(Columns(b), b.Rows, pool);
        var right = new PivotedQr(a.ToRows(), a.Columns, pool);
        double[][] leftR = left.UnpermutedR();
        double[][] rightR = right.UnpermutedR();
        double[][] coreColumns =
            [.. rightR.Select(r => leftR.Select(l => scale * VectorAlgebra.Dot(l, r)).ToArray())];
        (double[] values, double[][] coreLeft, double[][] coreRight) = JacobiSvd.Compute(coreColumns, leftR.Length, wanted, pool);
        return FromFloat64(
            values, left.MultiplyQ(coreLeft, pool), right.MultiplyQ(coreRight, pool), b.Rows, a.Columns, wanted, keepNullSpace, pool.Cancellation);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        LeftTransposed.Dispose();
        RightTransposed.Dispose();
    }

    private static TruncatedSvd FromFloat64(
        double[] values, double[][] left, double[][] right, int rows, int columns, int wanted, bool keepNullSpace, CancellationToken cancellationToken)
    {
        int count = values.Length;
        if (!keepNullSpace)
        {
            double smallest = count == 0 ? 0 : RelativeTolerance(rows, columns) * values[0];
            count = values.Count(value => value > smallest);
        }

        return Finish(
            values[..count], Matrix.FromRows(left[..count], rows), Matrix.FromRows(right[..count], columns), keepNullSpace ? wanted : 0, cancellationToken);
    }

    /// <summary>Completes the vectors to a least number and settles their signs. Takes the matrices over.</summary>
    private static TruncatedSvd Finish(double[] values, Matrix left, Matrix right, int least, CancellationToken cancellationToken)
    {
        if (values.Length < least)
        {
            Array.Resize(ref values, least);
            left = Complete(left, least, cancellationToken);
            right = Complete(right, least, cancellationToken);
        }

        for (int i = 0; i < values.Length; i++)
        {
            Span<float> v = right.Row(i);
            if (v[IndexOfLargest(v)] < 0)
            {
                Negate(v);
                Negate(left.Row(i));
            }
        }

        return new TruncatedSvd(values, left, right);
    }

    /// <summary>Appends orthonormal rows to orthonormal rows: what Gram-Schmidt leaves of pseudo-random ones.</summary>
    private static Matrix Complete(Matrix vectors, int count, CancellationToken cancellationToken)
    {
        var basis = new double[count][];
        var random = new SplitMix64(CompletionSeed);
        for (int i = 0; i < count; i++)
        {
            double[] vector = basis[i] = new double[vectors.Columns];
            if (i < vectors.Rows)
            {
                VectorAlgebra.Widen(vectors.Row(i), vector);
                continue;
            }

            cancellationToken.ThrowIfCancellationRequested();
            for (int j = 0; j < vector.Length; j++)
            {
                vector[j] = random.NextSigned();
            }

            // Three times is plenty: the second time already leaves nothing but rounding errors.
            for (int pass = 0; pass < 3; pass++)
            {
                foreach (double[] other in basis.AsSpan(0, i))
                {
                    VectorAlgebra.AddScaled(-VectorAlgebra.Dot(other, vector), other, vector);
                }

                VectorAlgebra.Scale(1 / Math.Sqrt(VectorAlgebra.Dot(vector, vector)), vector);
            }
        }

        int columns = vectors.Columns;
        vectors.Dispose();
        return Matrix.FromRows(basis, columns);
    }

    private static double[][] Columns(Matrix matrix)
    {
        using Matrix transpose = matrix.Transpose();
        return transpose.ToRows();
    }

    /// <summary>Finds the largest magnitude, refusing what is not a number.</summary>
    private static double CheckedMagnitude(Matrix matrix, string name)
    {
        float largest = 0;
        for (int i = 0; i < matrix.Rows; i++)
        {
            float magnitude = VectorAlgebra.MaxMagnitude(matrix.Row(i));
            if (!float.IsFinite(magnitude))
            {
                throw new ArgumentException($"Row {i} holds a NaN or an infinity.", name);
            }

            largest = Math.Max(largest, magnitude);
        }

        return largest;
    }

    private static int IndexOfLargest(ReadOnlySpan<float> vector)
    {
        int index = 0;
        for (int i = 1; i < vector.Length; i++)
        {
            if (Math.Abs(vector[i]) > Math.Abs(vector[index]))
            {
                index = i;
            }
        }

        return index;
    }

    private static void Negate(Span<float> vector)
    {
        foreach (ref float element in vector)
        {
            element = -element;
        }
    }
}
