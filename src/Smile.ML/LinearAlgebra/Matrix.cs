using System.Runtime.CompilerServices;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>A row-major float32 matrix in native memory, initially zero unless said otherwise. Either dimension may be 0.</summary>
internal sealed unsafe class Matrix : IRowSource, IDisposable
{
    private readonly NativeBuffer _buffer;

    /// <summary>Allocates a matrix of zeros.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public Matrix(int rows, int columns)
        : this(rows, columns, clear: true)
    {
    }

    private Matrix(int rows, int columns, bool clear)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Rows = rows;
        Columns = columns;
        _buffer = new NativeBuffer((long)rows * columns);
        for (int row = 0; clear && row < rows; row++)
        {
            Row(row).Clear();
        }
    }

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; }

    /// <summary>Gets the number of columns.</summary>
    public int Columns { get; }

    /// <summary>Gets the number of elements.</summary>
    public long Length => _buffer.Length;

    /// <summary>Gets the first element; rows follow each other without a gap. Keep the matrix reachable while using it.</summary>
    /// <exception cref="ObjectDisposedException">The matrix is disposed.</exception>
    public float* Pointer => _buffer.Pointer;

    /// <summary>Gets all elements, row by row.</summary>
    /// <exception cref="OverflowException">There are more than a span can hold.</exception>
    public Span<float> Span => new(Pointer, checked((int)Length));

    /// <summary>Gets all rows.</summary>
    public MatrixView View => new(Pointer, Rows, Columns);

    /// <summary>Gets one row.</summary>
    /// <param name="row">The row.</param>
    /// <returns>Its elements.</returns>
    public Span<float> Row(int row) => View.Row(row);

    /// <summary>Allocates a matrix for whoever writes every element.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <returns>The matrix; what it holds is undefined.</returns>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public static Matrix Uninitialized(int rows, int columns) => new(rows, columns, clear: false);

    /// <summary>Gets consecutive rows.</summary>
    /// <param name="start">The first.</param>
    /// <param name="count">How many.</param>
    /// <returns>The rows; they share this matrix's memory.</returns>
    public MatrixView Slice(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Rows - start);
        return new MatrixView(Pointer + (long)start * Columns, count, Columns);
    }

    /// <summary>Widens the rows to float64.</summary>
    /// <param name="most">The most rows to take, from the first on.</param>
    /// <returns>The rows.</returns>
    public double[][] ToRows(int most = int.MaxValue)
    {
        var rows = new double[Math.Min(most, Rows)][];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = new double[Columns];
            VectorAlgebra.Widen(Row(row), rows[row]);
        }

        return rows;
    }

    /// <summary>Narrows float64 rows to a matrix.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">Their length.</param>
    /// <returns>The matrix.</returns>
    public static Matrix FromRows(double[][] rows, int columns)
    {
        var matrix = Uninitialized(rows.Length, columns);
        for (int i = 0; i < rows.Length; i++)
        {
            VectorAlgebra.Narrow(rows[i], matrix.Row(i));
        }

        return matrix;
    }

    /// <summary>Reads a matrix from wherever its rows come from.</summary>
    /// <typeparam name="TSource">The kind of source.</typeparam>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="source">Reads the rows.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <returns>The matrix.</returns>
    public static Matrix FromRows<TSource>(int rows, int columns, TSource source, WorkerPool pool)
        where TSource : IRowSource
    {
        Matrix matrix = Uninitialized(rows, columns);
        try
        {
            var work = new Reading<TSource>(source, matrix);
            pool.For(work.Count, ref work);
            return matrix;
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    /// <summary>Computes left * right.</summary>
    /// <param name="left">[m, k].</param>
    /// <param name="right">[k, n].</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>[m, n].</returns>
    public static Matrix Multiply(MatrixView left, MatrixView right, WorkerPool pool)
    {
        using PackedMatrix packed = PackedMatrix.FromColumns(right.Pointer, right.Rows, right.Columns, right.Columns, pool);
        return Multiply(left, packed, pool);
    }

    /// <summary>Computes left * right^T.</summary>
    /// <param name="left">[m, k].</param>
    /// <param name="right">[n, k].</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>[m, n].</returns>
    public static Matrix MultiplyByTransposed(MatrixView left, MatrixView right, WorkerPool pool)
    {
        using PackedMatrix packed = PackedMatrix.FromRows(right.Pointer, right.Rows, right.Columns, right.Columns, pool);
        return Multiply(left, packed, pool);
    }

    /// <summary>Computes left * right.</summary>
    /// <param name="left">[m, k].</param>
    /// <param name="right">[k, n].</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>[m, n].</returns>
    public static Matrix Multiply(MatrixView left, PackedMatrix right, WorkerPool pool)
    {
        var product = Uninitialized(left.Rows, right.Columns);
        Gemm.Multiply(pool, left.Rows, left.Pointer, left.Columns, [new GemmOutput(right, product.Pointer, product.Columns)]);
        return product;
    }

    /// <summary>Gets the transpose.</summary>
    /// <returns>A new matrix [Columns, Rows].</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Matrix Transpose()
    {
        // Strips of 16 rows: one cache line of the result at a time.
        const int Strip = 16;
        var transpose = Uninitialized(Columns, Rows);
        float* from = Pointer;
        float* to = transpose.Pointer;
        for (int start = 0; start < Rows; start += Strip)
        {
            int end = Math.Min(Rows, start + Strip);
            for (int column = 0; column < Columns; column++)
            {
                for (int row = start; row < end; row++)
                {
                    to[(long)column * Rows + row] = from[(long)row * Columns + column];
                }
            }
        }

        return transpose;
    }

    /// <inheritdoc/>
    public void ReadRows(int first, Span<float> destination)
        => new ReadOnlySpan<float>(Pointer + ((long)first * Columns), destination.Length).CopyTo(destination);

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    /// <summary>Reads blocks of rows, each small enough for the second-level cache.</summary>
    private readonly struct Reading<TSource>(TSource source, Matrix matrix) : IParallelWork
        where TSource : IRowSource
    {
        private const int BlockLength = 1 << 16;

        private readonly int _blockRows = Math.Max(1, BlockLength / Math.Max(1, matrix.Columns));

        public int Count => (matrix.Rows + _blockRows - 1) / _blockRows;

        public void Execute(int index)
        {
            int first = index * _blockRows;
            MatrixView rows = matrix.Slice(first, Math.Min(_blockRows, matrix.Rows - first));
            source.ReadRows(first, new Span<float>(rows.Pointer, checked(rows.Rows * rows.Columns)));
        }
    }
}
