using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// A float32 matrix in native memory, laid out for products with tall, narrow ones (<see cref="PanelProducts"/>): panels of 16 columns one
/// after the other, each row by row. What fills up the last panel and the last tile of rows is zero.
/// </summary>
internal sealed unsafe class PanelMatrix : IDisposable
{
    private NativeBuffer _buffer;

    /// <summary>Allocates a matrix of zeros.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public PanelMatrix(int rows, int columns)
        : this(rows, columns, clear: true)
    {
    }

    private PanelMatrix(int rows, int columns, bool clear)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Rows = rows;
        PaddedRows = PanelLayout.PaddedRows(rows);
        Columns = columns;
        _buffer = new NativeBuffer(PanelCount * PanelStride);
        if (clear)
        {
            Clear(_buffer.Pointer, PanelCount * PanelStride);
        }
    }

    /// <summary>Gets the rows.</summary>
    public int Rows { get; }

    /// <summary>Gets the columns.</summary>
    public int Columns { get; private set; }

    /// <summary>Gets the rows in memory: zeros after the last.</summary>
    public int PaddedRows { get; }

    /// <summary>Gets the number of panels.</summary>
    public int PanelCount => PanelLayout.Panels(Columns);

    /// <summary>Gets the elements from one panel to the next: a row more than a panel's, so that equal rows of neighbours don't compete for cache lines.</summary>
    public nint PanelStride => ((nint)PaddedRows + 1) * PanelLayout.Width;

    /// <summary>Estimates the memory that a matrix takes.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <returns>Bytes.</returns>
    public static long Bytes(int rows, int columns)
        => (PanelLayout.PaddedRows(rows) + 1L) * PanelLayout.Panels(columns) * PanelLayout.Width * sizeof(float);

    /// <summary>Reads a matrix from wherever its rows come from.</summary>
    /// <typeparam name="TSource">The kind of source.</typeparam>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="source">Reads the rows.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <param name="energy">The sum of the elements' squares, in float64; not finite if an element is not.</param>
    /// <returns>The matrix.</returns>
    public static PanelMatrix FromRows<TSource>(int rows, int columns, TSource source, WorkerPool pool, out double energy)
        where TSource : IRowSource
    {
        var panels = new PanelMatrix(rows, columns, clear: false);
        try
        {
            var work = new Reading<TSource>(source, panels);
            pool.For(work.Energies.Length, ref work);
            energy = work.Energies.Sum();
            nint used = (nint)rows * PanelLayout.Width;
            for (int panel = 0; panel < panels.PanelCount; panel++)
            {
                Clear(panels.Panel(panel) + used, panels.PanelStride - used);
            }

            return panels;
        }
        catch
        {
            panels.Dispose();
            throw;
        }
    }

    /// <summary>Narrows float64 columns.</summary>
    /// <param name="columns">The columns.</param>
    /// <param name="rows">Their length.</param>
    /// <returns>The matrix.</returns>
    public static PanelMatrix FromColumns(double[][] columns, int rows)
    {
        var matrix = new PanelMatrix(rows, columns.Length);
        for (int column = 0; column < columns.Length; column++)
        {
            float* element = matrix.Column(column);
            foreach (double value in columns[column])
            {
                *element = (float)value;
                element += PanelLayout.Width;
            }
        }

        return matrix;
    }

    /// <summary>Gets the start of a panel. Keep the matrix reachable while using it.</summary>
    /// <param name="panel">The panel.</param>
    /// <returns>Its first element, aligned to a cache line.</returns>
    /// <exception cref="ObjectDisposedException">The matrix is disposed.</exception>
    public float* Panel(int panel) => _buffer.Pointer + (panel * PanelStride);

    /// <summary>Gets a row's elements in one panel.</summary>
    /// <param name="panel">The panel.</param>
    /// <param name="row">The row.</param>
    /// <returns>As many as the matrix has columns there.</returns>
    public Span<float> Row(int panel, int row)
        => new(Panel(panel) + ((nint)row * PanelLayout.Width), Math.Min(PanelLayout.Width, Columns - (panel * PanelLayout.Width)));

    /// <summary>Appends columns.</summary>
    /// <param name="other">A matrix of as many rows.</param>
    /// <exception cref="ArgumentException">It has another number of rows.</exception>
    public void Append(PanelMatrix other)
    {
        if (other.Rows != Rows)
        {
            throw new ArgumentException($"Columns of {other.Rows} rows to append to columns of {Rows}.", nameof(other));
        }

        int start = Columns;
        Columns = checked(start + other.Columns);
        nint length = PanelCount * PanelStride;
        if (length > _buffer.Length)
        {
            // Twice as much as asked for, so that what is appended piece by piece is copied only a few times.
            var larger = new NativeBuffer(2 * length);
            Copy(_buffer.Pointer, larger.Pointer, PanelLayout.Panels(start) * PanelStride);
            _buffer.Dispose();
            _buffer = larger;
        }

        if (start % PanelLayout.Width == 0)
        {
            Copy(other.Panel(0), Panel(start / PanelLayout.Width), other.PanelCount * PanelStride);
            return;
        }

        int used = PanelLayout.Panels(start);
        Clear(Panel(used), (PanelCount - used) * PanelStride);
        for (int column = 0; column < other.Columns; column++)
        {
            float* from = other.Column(column);
            float* to = Column(start + column);
            for (int row = 0; row < Rows; row++)
            {
                to[row * PanelLayout.Width] = from[row * PanelLayout.Width];
            }
        }
    }

    /// <summary>Drops the columns after the first.</summary>
    /// <param name="columns">How many to keep.</param>
    public void Truncate(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)columns, (uint)Columns, nameof(columns));
        Columns = columns;
        int rest = columns % PanelLayout.Width;
        if (rest > 0)
        {
            float* last = Panel(PanelCount - 1);
            for (int row = 0; row < Rows; row++)
            {
                new Span<float>(last + (row * PanelLayout.Width) + rest, PanelLayout.Width - rest).Clear();
            }
        }
    }

    /// <summary>Changes the sign of every element.</summary>
    public void Negate()
    {
        float* elements = Panel(0);
        for (nint i = 0; i < PanelCount * PanelStride; i++)
        {
            elements[i] = -elements[i];
        }
    }

    /// <summary>Multiplies every element by 2^exponent, which is exact where nothing under- or overflows.</summary>
    /// <param name="exponent">The exponent.</param>
    public void ScaleByPowerOfTwo(int exponent)
    {
        if (exponent == 0)
        {
            return;
        }

        float* elements = Panel(0);
        for (nint i = 0; i < PanelCount * PanelStride; i++)
        {
            elements[i] = (float)Math.ScaleB(elements[i], exponent);
        }
    }

    /// <summary>Gets the transpose.</summary>
    /// <returns>A row-major matrix [Columns, Rows].</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Matrix Transpose()
    {
        var transpose = Matrix.Uninitialized(Columns, Rows);
        for (int column = 0; column < Columns; column++)
        {
            float* from = Column(column);
            float* to = transpose.Pointer + ((long)column * Rows);
            for (int row = 0; row < Rows; row++)
            {
                to[row] = from[row * PanelLayout.Width];
            }
        }

        return transpose;
    }

    /// <summary>Lays the matrix out row by row.</summary>
    /// <returns>A copy.</returns>
    public Matrix ToRows()
    {
        Matrix matrix = Matrix.Uninitialized(Rows, Columns);
        for (int row = 0; row < Rows; row++)
        {
            Span<float> elements = matrix.Row(row);
            for (int panel = 0; panel < PanelCount; panel++)
            {
                Row(panel, row).CopyTo(elements[(panel * PanelLayout.Width)..]);
            }
        }

        return matrix;
    }

    /// <summary>Sums the squares of the elements, in float64.</summary>
    /// <returns>The squared Frobenius norm.</returns>
    public double Energy()
    {
        double energy = 0;
        for (int panel = 0; panel < PanelCount; panel++)
        {
            energy += VectorAlgebra.SumOfSquares(new ReadOnlySpan<float>(Panel(panel), checked((int)PanelStride)));
        }

        return energy;
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    /// <summary>Gets a column's first element; the next one is a panel's width away.</summary>
    private float* Column(int column) => Panel(column / PanelLayout.Width) + (column % PanelLayout.Width);

    private static void Copy(float* source, float* destination, nint length)
        => Buffer.MemoryCopy(source, destination, length * sizeof(float), length * sizeof(float));

    private static void Clear(float* start, nint length) => NativeMemory.Clear(start, (nuint)length * sizeof(float));

    /// <summary>Reads blocks of rows, each small enough for the second-level cache, and deals them out to the panels.</summary>
    private readonly struct Reading<TSource>(TSource source, PanelMatrix panels) : IParallelWork
        where TSource : IRowSource
    {
        private const int BlockLength = 1 << 15;

        // Fewer would be written to too many places for too little.
        private const int LeastRows = 16;

        private readonly int _blockRows = BlockRows(panels);

        /// <summary>Gets the squares of each block's elements, summed.</summary>
        public double[] Energies { get; } = new double[(panels.Rows + BlockRows(panels) - 1) / BlockRows(panels)];

        public void Execute(int index)
        {
            int first = index * _blockRows;
            int rows = Math.Min(_blockRows, panels.Rows - first);
            using var block = new NativeBuffer((long)rows * panels.Columns);
            source.ReadRows(first, new Span<float>(block.Pointer, checked((int)block.Length)));
            double energy = 0;
            int full = panels.Columns / PanelLayout.Width;
            nint offset = (nint)first * PanelLayout.Width;
            for (int panel = 0; panel < full; panel++)
            {
                energy += CopyPanel(block.Pointer + (panel * PanelLayout.Width), panels.Columns, panels.Panel(panel) + offset, rows);
            }

            if (full < panels.PanelCount)
            {
                energy += CopyLast(block.Pointer + (full * PanelLayout.Width), panels.Panel(full) + offset, rows);
            }

            Energies[index] = energy;
        }

        private static int BlockRows(PanelMatrix panels) => Math.Max(LeastRows, BlockLength / Math.Max(1, panels.Columns));

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static double CopyPanel(float* source, nint stride, float* panel, int rows)
        {
            Vector256<double> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (float* end = panel + (rows * PanelLayout.Width); panel < end; panel += PanelLayout.Width, source += stride)
            {
                Vector256<float> left = Vector256.Load(source), right = Vector256.Load(source + Vector256<float>.Count);
                left.Store(panel);
                right.Store(panel + Vector256<float>.Count);
                Vector256<double> w0 = Vector256.WidenLower(left), w1 = Vector256.WidenUpper(left);
                Vector256<double> w2 = Vector256.WidenLower(right), w3 = Vector256.WidenUpper(right);
                sum0 = Vector256.FusedMultiplyAdd(w0, w0, sum0);
                sum1 = Vector256.FusedMultiplyAdd(w1, w1, sum1);
                sum2 = Vector256.FusedMultiplyAdd(w2, w2, sum2);
                sum3 = Vector256.FusedMultiplyAdd(w3, w3, sum3);
            }

            return Vector256.Sum(sum0 + sum1 + (sum2 + sum3));
        }

        /// <summary>Copies the columns that don't fill a panel, and zeros.</summary>
        private double CopyLast(float* source, float* panel, int rows)
        {
            double energy = 0;
            int columns = panels.Columns % PanelLayout.Width;
            for (int row = 0; row < rows; row++, source += panels.Columns, panel += PanelLayout.Width)
            {
                var elements = new ReadOnlySpan<float>(source, columns);
                elements.CopyTo(new Span<float>(panel, columns));
                new Span<float>(panel + columns, PanelLayout.Width - columns).Clear();
                energy += VectorAlgebra.SumOfSquares(elements);
            }

            return energy;
        }
    }
}
