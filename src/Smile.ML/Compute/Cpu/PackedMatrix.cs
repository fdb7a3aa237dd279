using System.Runtime.CompilerServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The right-hand matrix B [depth, columns] of <see cref="Gemm"/>, usually the transpose of a layer's weight [outputs, inputs], laid out
/// for its kernels: panels of <see cref="PanelWidth"/> columns, one after another; within a panel, one row of B after another, each a
/// contiguous run of <see cref="PanelWidth"/> floats. Columns beyond the last are zero.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    private const int WidePanel = 32;
    private const int NarrowPanel = 16;

    private readonly NativeBuffer _buffer;

    private PackedMatrix(int depth, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(depth);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Depth = depth;
        Columns = columns;
        PanelWidth = columns <= NarrowPanel ? NarrowPanel : WidePanel;
        PanelCount = (int)(((long)columns + PanelWidth - 1) / PanelWidth);
        _buffer = new NativeBuffer((long)PanelCount * PanelWidth * depth);
    }

    /// <summary>Gets the rows of B: a weight's inputs.</summary>
    public int Depth { get; }

    /// <summary>Gets the columns of B: a weight's outputs.</summary>
    public int Columns { get; }

    /// <summary>Gets the columns that a panel holds: 32, or 16 where there are no more than 16 columns in all.</summary>
    public int PanelWidth { get; }

    /// <summary>Gets the number of panels.</summary>
    public int PanelCount { get; }

    /// <summary>Gets the memory that the panels take, in bytes.</summary>
    public long Bytes => _buffer.Length * sizeof(float);

    /// <summary>Packs the transpose of a weight that is read row by row.</summary>
    /// <typeparam name="TSource">The kind of source.</typeparam>
    /// <param name="rows">The weight's rows: the columns of B.</param>
    /// <param name="depth">The weight's columns: the rows of B.</param>
    /// <param name="source">Reads the weight's rows.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromRows<TSource>(int rows, int depth, TSource source, WorkerPool pool)
        where TSource : struct, IRowSource
    {
        var packed = new PackedMatrix(depth, rows);
        try
        {
            var work = new RowPacking<TSource>(packed, source);
            pool.For(packed.PanelCount, ref work);
            return packed;
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    /// <summary>Packs the transpose of a row-major weight.</summary>
    /// <param name="weight">The weight [rows, depth].</param>
    /// <param name="rows">The weight's rows: the columns of B.</param>
    /// <param name="depth">The weight's columns: the rows of B.</param>
    /// <param name="stride">The floats from one row of the weight to the next.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromRows(float* weight, int rows, int depth, nint stride, WorkerPool pool)
        => FromRows(rows, depth, new MemoryRows(weight, depth, stride), pool);

    /// <summary>Packs B itself, row-major.</summary>
    /// <param name="b">B [depth, columns].</param>
    /// <param name="depth">The rows of B.</param>
    /// <param name="columns">The columns of B.</param>
    /// <param name="stride">The floats from one row of B to the next.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromColumns(float* b, int depth, int columns, nint stride, WorkerPool pool)
    {
        var packed = new PackedMatrix(depth, columns);
        var work = new ColumnPacking(packed, b, stride);
        pool.For(packed.PanelCount, ref work);
        return packed;
    }

    /// <summary>Gets the start of a panel.</summary>
    /// <param name="panel">The panel.</param>
    /// <returns>Its first float, aligned to 64 bytes.</returns>
    /// <exception cref="ObjectDisposedException">The matrix is disposed.</exception>
    public float* Panel(int panel) => _buffer.Pointer + (long)panel * PanelWidth * Depth;

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private readonly struct MemoryRows(float* start, int depth, nint stride) : IRowSource
    {
        public void ReadRows(int first, Span<float> destination)
        {
            for (int row = first; !destination.IsEmpty; row++, destination = destination[depth..])
            {
                new ReadOnlySpan<float>(start + row * stride, depth).CopyTo(destination);
            }
        }
    }

    /// <summary>Packs one panel per piece, eight of its columns at a time.</summary>
    private readonly struct RowPacking<TSource>(PackedMatrix packed, TSource source) : IParallelWork
        where TSource : struct, IRowSource
    {
        private const int Group = 8;

        private readonly PackedMatrix _packed = packed;
        private readonly TSource _source = source;

        public void Execute(int index)
        {
            int depth = _packed.Depth;
            int width = _packed.PanelWidth;
            int firstColumn = index * width;
            float* panel = _packed.Panel(index);
            using var scratch = new NativeBuffer((long)Group * depth);
            for (int column = 0; column < width; column += Group)
            {
                // Rows beyond the last are zero.
                int count = Math.Clamp(_packed.Columns - firstColumn - column, 0, Group) * depth;
                var rows = new Span<float>(scratch.Pointer, Group * depth);
                if (count > 0)
                {
                    _source.ReadRows(firstColumn + column, rows[..count]);
                }

                rows[count..].Clear();
                Transpose(scratch.Pointer, depth, panel + column, width);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transpose(float* rows, int depth, float* destination, int width)
        {
            float* r0 = rows, r1 = r0 + depth, r2 = r1 + depth, r3 = r2 + depth;
            float* r4 = r3 + depth, r5 = r4 + depth, r6 = r5 + depth, r7 = r6 + depth;
            for (int k = 0; k < depth; k++, destination += width)
            {
                destination[0] = r0[k];
                destination[1] = r1[k];
                destination[2] = r2[k];
                destination[3] = r3[k];
                destination[4] = r4[k];
                destination[5] = r5[k];
                destination[6] = r6[k];
                destination[7] = r7[k];
            }
        }
    }

    private readonly struct ColumnPacking(PackedMatrix packed, float* b, nint stride) : IParallelWork
    {
        public void Execute(int index)
        {
            int width = packed.PanelWidth;
            int columns = Math.Min(width, packed.Columns - index * width);
            float* source = b + (nint)index * width;
            float* destination = packed.Panel(index);
            for (int k = 0; k < packed.Depth; k++, source += stride, destination += width)
            {
                new ReadOnlySpan<float>(source, columns).CopyTo(new Span<float>(destination, columns));
                new Span<float>(destination + columns, width - columns).Clear();
            }
        }
    }
}
