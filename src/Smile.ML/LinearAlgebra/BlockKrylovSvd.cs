using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The largest singular values of a large float32 matrix by randomised block Krylov iteration (Musco and Musco, NeurIPS 2015): an
/// orthonormal basis Q of the span of A Z, A A^T A Z, ..., grown block by block, then the decomposition of Q^T A. Matrix products
/// are float32, everything small is float64. The residual comes within a few millionths of the best possible.
/// </summary>
internal static class BlockKrylovSvd
{
    /// <summary>The most times that the first block is multiplied by A A^T.</summary>
    public const int MaxIterations = 60;

    private const ulong Seed = 0x536D696C65;

    // A new block with less energy than this, relative to the first, is rounding noise: the basis spans all of A.
    private const double ExhaustedEnergy = 1e-12;

    // Stop when a block brings less than this share of the squared residual: half of it is what the residual may lack.
    private const double SettledGain = 1e-6;

    /// <summary>Gets the rows of a block: enough that a few blocks hold the wanted directions with room to spare.</summary>
    /// <param name="rank">The singular values wanted.</param>
    /// <returns>The rows.</returns>
    public static int BlockRows(int rank) => Math.Max(16, rank / 2 + 8);

    /// <summary>Computes the largest singular values and their vectors.</summary>
    /// <param name="a">The matrix [m, n], its largest element near 1.</param>
    /// <param name="rank">The most values to return.</param>
    /// <param name="tolerance">Values not above this share of the largest are rounding noise and left out.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The values, largest first; their left vectors as rows [count, m]; their right vectors as rows [count, n].</returns>
    public static (double[] Values, Matrix Left, Matrix Right) Compute(Matrix a, int rank, double tolerance, WorkerPool pool)
    {
        int block = BlockRows(rank);
        int limit = Math.Min(Math.Min(a.Rows, a.Columns), (MaxIterations + 1) * block);
        using var basis = new Matrix(limit, a.Rows);
        using var image = new Matrix(limit, a.Columns);
        double[][] gram = Grow(a, rank, block, basis, image, pool);

        SymmetricEigen eigen = SymmetricEigen.Compute(gram, rank);
        int count = 0;
        while (count < eigen.Vectors.Length && eigen.Values[count] > tolerance * tolerance * eigen.Values[0])
        {
            count++;
        }

        double[] values = [.. eigen.Values.Take(count).Select(Math.Sqrt)];
        double[][] weights = eigen.Vectors[..count];
        Matrix left = Combine(weights, basis.Slice(0, gram.Length), pool);
        for (int i = 0; i < count; i++)
        {
            VectorMath.Scale(1 / values[i], weights[i]);
        }

        Matrix right = Combine(weights, image.Slice(0, gram.Length), pool);

        // Rounding tilts a vector towards those of larger singular values; turn it back.
        int orthonormal = Math.Min(Orthonormalization.Refine(left.View, pool), Orthonormalization.Refine(right.View, pool));
        return (values[..orthonormal], Leading(left, orthonormal), Leading(right, orthonormal));
    }

    /// <summary>Grows the basis Q and its image Q^T A.</summary>
    /// <returns>The Gram matrix of the image's rows; as large as the basis has grown.</returns>
    private static unsafe double[][] Grow(Matrix a, int rank, int block, Matrix basis, Matrix image, WorkerPool pool)
    {
        using PackedMatrix packed = PackedMatrix.FromColumns(a.Pointer, a.Rows, a.Columns, a.Columns, pool);
        double energy = Energy(a.View);
        double firstEnergy = 0;
        double captured = 0;
        double[][] gram = [];
        Matrix directions = RandomRows(Math.Min(block, basis.Rows), a.Columns);
        try
        {
            while (true)
            {
                int count = gram.Length;
                using Matrix product = Matrix.MultiplyByTransposed(a.View, directions.View, pool);
                using Matrix candidates = product.Transpose();
                firstEnergy = count == 0 ? Energy(candidates.View) : firstEnergy;
                int added = Extend(basis, count, candidates.View, firstEnergy, pool);
                if (added == 0)
                {
                    return gram;
                }

                MatrixView fresh = image.Slice(count, added);
                MatrixView freshBasis = basis.Slice(count, added);
                Gemm.Multiply(
                    pool, added, freshBasis.Pointer, freshBasis.Columns, [new GemmOutput(packed, fresh.Pointer, fresh.Columns)]);
                count += added;
                gram = ExtendGram(gram, image.Slice(0, count));
                if (count == basis.Rows || IsSettled(gram, rank, energy, ref captured))
                {
                    return gram;
                }

                directions.Dispose();
                directions = new Matrix(added, a.Columns);
                new ReadOnlySpan<float>(fresh.Pointer, checked(added * a.Columns)).CopyTo(directions.Span);
                int independent = Orthonormalization.MakeBasis(directions.View, 1, pool);
                directions = Leading(directions, independent);
            }
        }
        finally
        {
            directions.Dispose();
        }
    }

    /// <summary>Appends to the basis what the candidates add to its span.</summary>
    /// <returns>The number of rows appended.</returns>
    private static int Extend(Matrix basis, int count, MatrixView candidates, double firstEnergy, WorkerPool pool)
    {
        // One projection leaves rounding errors of the size of what it removed; the second removes those.
        if (count > 0)
        {
            Project(candidates, basis.Slice(0, count), pool);
            if (!(Energy(candidates) > ExhaustedEnergy * firstEnergy))
            {
                return 0;
            }

            candidates = Leading(candidates, Orthonormalization.MakeBasis(candidates, 1, pool));
            Project(candidates, basis.Slice(0, count), pool);
        }

        candidates = Leading(candidates, Orthonormalization.MakeBasis(candidates, 2, pool));
        int added = Math.Min(candidates.Rows, basis.Rows - count);
        for (int i = 0; i < added; i++)
        {
            candidates.Row(i).CopyTo(basis.Row(count + i));
        }

        return added;
    }

    /// <summary>Subtracts from the rows their components along an orthonormal basis.</summary>
    private static unsafe void Project(MatrixView rows, MatrixView basis, WorkerPool pool)
    {
        using Matrix components = Matrix.MultiplyByTransposed(rows, basis, pool);
        for (int i = 0; i < components.Rows; i++)
        {
            foreach (ref float component in components.Row(i))
            {
                component = -component;
            }
        }

        using PackedMatrix packed = PackedMatrix.FromColumns(basis.Pointer, basis.Rows, basis.Columns, basis.Columns, pool);
        Gemm.Multiply(
            pool, rows.Rows, components.Pointer, components.Columns,
            [new GemmOutput(packed, rows.Pointer, rows.Columns, accumulate: true)]);
    }

    private static double[][] ExtendGram(double[][] gram, MatrixView rows)
    {
        double[][] fresh = GramMatrix.Compute(rows, gram.Length);
        var extended = new double[rows.Rows][];
        fresh.CopyTo(extended, gram.Length);
        for (int i = 0; i < gram.Length; i++)
        {
            extended[i] = new double[rows.Rows];
            gram[i].CopyTo(extended[i], 0);
            for (int j = 0; j < fresh.Length; j++)
            {
                extended[i][gram.Length + j] = fresh[j][i];
            }
        }

        return extended;
    }

    private static bool IsSettled(double[][] gram, int rank, double energy, ref double captured)
    {
        double before = captured;
        double[][] scratch = [.. gram.Select(row => (double[])row.Clone())];
        captured = SymmetricEigen.Compute(scratch, 0).Values.Take(rank).Sum();
        if (Environment.GetEnvironmentVariable("KD") != null) Console.Error.WriteLine($"l={gram.Length} gain/res {(captured - before)/(energy-captured):E1}");
        return gram.Length > rank && before > 0 && captured - before <= SettledGain * (energy - captured);
    }

    private static Matrix Combine(double[][] weights, MatrixView rows, WorkerPool pool)
    {
        using Matrix narrow = Matrix.FromRows(weights, rows.Rows);
        return Matrix.Multiply(narrow.View, rows, pool);
    }

    private static Matrix RandomRows(int rows, int columns)
    {
        var random = new SplitMix64(Seed);
        var matrix = new Matrix(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref float element in matrix.Row(i))
            {
                element = random.NextSigned();
            }
        }

        return matrix;
    }

    private static double Energy(MatrixView rows)
    {
        double energy = 0;
        for (int i = 0; i < rows.Rows; i++)
        {
            energy += VectorMath.SumOfSquares(rows.Row(i));
        }

        return energy;
    }

    private static unsafe MatrixView Leading(MatrixView rows, int count) => new(rows.Pointer, count, rows.Columns);

    /// <summary>Keeps the first rows of a matrix; disposes of it if those are not all.</summary>
    private static Matrix Leading(Matrix matrix, int count)
    {
        if (count == matrix.Rows)
        {
            return matrix;
        }

        var leading = new Matrix(count, matrix.Columns);
        for (int i = 0; i < count; i++)
        {
            matrix.Row(i).CopyTo(leading.Row(i));
        }

        matrix.Dispose();
        return leading;
    }
}
