using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The right-hand matrix B [depth, columns] of <see cref="Gemm"/>, usually the transpose of a layer's weight [outputs, inputs], laid out
/// for its kernels: panels of <see cref="PanelWidth"/> columns, one after another; within a panel, one row of B after another, each a
/// contiguous run of <see cref="PanelWidth"/> elements. Columns beyond the last are zero.
/// </summary>
internal sealed unsafe class PackedMatrix : IDisposable
{
    /// <summary>The columns of a panel where there are more than 16: those of this machine's tiles.</summary>
    public static readonly int WidePanel = Vector512.IsHardwareAccelerated ? 32 : NarrowPanel;

    private const int NarrowPanel = 16;

    private readonly NativeBuffer _buffer;
    private readonly int _elementBytes;

    private PackedMatrix(int depth, int columns, WeightFormat format, int widePanel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(depth);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        Depth = depth;
        Columns = columns;
        PanelWidth = columns <= NarrowPanel ? NarrowPanel : widePanel;
        PanelCount = (int)(((long)columns + PanelWidth - 1) / PanelWidth);
        Format = format;
        _elementBytes = format == WeightFormat.Float32 ? sizeof(float) : sizeof(ushort);
        _buffer = new NativeBuffer((long)PanelCount * PanelWidth * depth * _elementBytes / sizeof(float));
    }

    /// <summary>Gets the rows of B: a weight's inputs.</summary>
    public int Depth { get; }

    /// <summary>Gets the columns of B: a weight's outputs.</summary>
    public int Columns { get; }

    /// <summary>Gets the columns that a panel holds: 32, or 16 where there are no more than 16 columns in all or vectors are narrow.</summary>
    public int PanelWidth { get; }

    /// <summary>Gets the number of panels.</summary>
    public int PanelCount { get; }

    /// <summary>Gets how the elements lie in memory.</summary>
    public WeightFormat Format { get; }

    /// <summary>Gets the memory that the panels take, in bytes.</summary>
    public long Bytes => _buffer.Length * sizeof(float);

    /// <summary>Packs the transpose of a weight that is read row by row, in 16 bits an element where that loses nothing.</summary>
    /// <typeparam name="TSource">The kind of source.</typeparam>
    /// <param name="rows">The weight's rows: the columns of B.</param>
    /// <param name="depth">The weight's columns: the rows of B.</param>
    /// <param name="source">Reads the weight's rows; asked for them again where a guess at the format was wrong.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <param name="widePanel">Another width of panels than this machine's.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromRows<TSource>(int rows, int depth, TSource source, WorkerPool pool, int? widePanel = null)
        where TSource : struct, IRowSource
        => TryPack<TSource, WeightFormats.BFloat16>(WeightFormat.BFloat16, rows, depth, source, pool, widePanel)
            ?? TryPack<TSource, WeightFormats.Float16>(WeightFormat.Float16, rows, depth, source, pool, widePanel)
            ?? TryPack<TSource, WeightFormats.Float32>(WeightFormat.Float32, rows, depth, source, pool, widePanel)!;

    /// <summary>Packs the transpose of a row-major weight, as float32.</summary>
    /// <param name="weight">The weight [rows, depth].</param>
    /// <param name="rows">The weight's rows: the columns of B.</param>
    /// <param name="depth">The weight's columns: the rows of B.</param>
    /// <param name="stride">The floats from one row of the weight to the next.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <param name="widePanel">Another width of panels than this machine's.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromRows(float* weight, int rows, int depth, nint stride, WorkerPool pool, int? widePanel = null)
        => TryPack<MemoryRows, WeightFormats.Float32>(WeightFormat.Float32, rows, depth, new MemoryRows(weight, depth, stride), pool, widePanel)!;

    /// <summary>Packs B itself, row-major, as float32.</summary>
    /// <param name="b">B [depth, columns].</param>
    /// <param name="depth">The rows of B.</param>
    /// <param name="columns">The columns of B.</param>
    /// <param name="stride">The floats from one row of B to the next.</param>
    /// <param name="pool">The threads to pack with.</param>
    /// <returns>The packed matrix.</returns>
    public static PackedMatrix FromColumns(float* b, int depth, int columns, nint stride, WorkerPool pool)
    {
        var packed = new PackedMatrix(depth, columns, WeightFormat.Float32, WidePanel);
        var work = new ColumnPacking(packed, b, stride);
        pool.For((packed.PanelCount + ColumnPacking.PanelsPerPiece - 1) / ColumnPacking.PanelsPerPiece, ref work);
        return packed;
    }

    /// <summary>Gets the start of a panel.</summary>
    /// <param name="panel">The panel.</param>
    /// <returns>Its first element, aligned to a vector of them.</returns>
    /// <exception cref="ObjectDisposedException">The matrix is disposed.</exception>
    public byte* Panel(int panel) => (byte*)_buffer.Pointer + (long)panel * PanelWidth * Depth * _elementBytes;

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    /// <summary>Packs in a format, or returns null when the format can't hold a value.</summary>
    private static PackedMatrix? TryPack<TSource, TFormat>(
        WeightFormat format, int rows, int depth, TSource source, WorkerPool pool, int? widePanel)
        where TSource : struct, IRowSource
        where TFormat : struct, IWeightFormat
    {
        var packed = new PackedMatrix(depth, rows, format, widePanel ?? WidePanel);
        try
        {
            var work = new RowPacking<TSource, TFormat>(packed, source);
            pool.For(packed.PanelCount, ref work);
            if (!work.Failed)
            {
                return packed;
            }
        }
        catch
        {
            packed.Dispose();
            throw;
        }

        packed.Dispose();
        return null;
    }

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

    /// <summary>Packs one panel per piece, eight of its columns at a time, until a value is met that the format can't hold.</summary>
    private struct RowPacking<TSource, TFormat>(PackedMatrix packed, TSource source) : IParallelWork
        where TSource : struct, IRowSource
        where TFormat : struct, IWeightFormat
    {
        private const int Group = 8;

        private readonly PackedMatrix _packed = packed;
        private readonly TSource _source = source;
        private volatile bool _failed;

        public readonly bool Failed => _failed;

        public void Execute(int index)
        {
            int depth = _packed.Depth;
            int width = _packed.PanelWidth;
            int firstColumn = index * width;
            byte* panel = _packed.Panel(index);
            using var scratch = new NativeBuffer((long)Group * depth);
            for (int column = 0; column < width && !_failed; column += Group)
            {
                // Rows beyond the last are zero.
                int count = Math.Clamp(_packed.Columns - firstColumn - column, 0, Group) * depth;
                var rows = new Span<float>(scratch.Pointer, Group * depth);
                if (count > 0)
                {
                    _source.ReadRows(firstColumn + column, rows[..count]);
                    if (!TFormat.Holds(rows[..count]))
                    {
                        _failed = true;
                        return;
                    }
                }

                rows[count..].Clear();
                Transpose(scratch.Pointer, depth, panel + column * TFormat.Bytes, width * TFormat.Bytes);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transpose(float* rows, int depth, byte* destination, int stride)
        {
            float* r0 = rows, r1 = r0 + depth, r2 = r1 + depth, r3 = r2 + depth;
            float* r4 = r3 + depth, r5 = r4 + depth, r6 = r5 + depth, r7 = r6 + depth;
            for (int k = 0; k < depth; k++, destination += stride)
            {
                TFormat.Store(r0[k], destination);
                TFormat.Store(r1[k], destination + TFormat.Bytes);
                TFormat.Store(r2[k], destination + (2 * TFormat.Bytes));
                TFormat.Store(r3[k], destination + (3 * TFormat.Bytes));
                TFormat.Store(r4[k], destination + (4 * TFormat.Bytes));
                TFormat.Store(r5[k], destination + (5 * TFormat.Bytes));
                TFormat.Store(r6[k], destination + (6 * TFormat.Bytes));
                TFormat.Store(r7[k], destination + (7 * TFormat.Bytes));
            }
        }
    }

    /// <summary>Packs a few neighbouring panels per piece, so that rows of B are read in runs that reach over several cache lines.</summary>
    private readonly struct ColumnPacking(PackedMatrix packed, float* b, nint stride) : IParallelWork
    {
        public const int PanelsPerPiece = 8;

        public void Execute(int index)
        {
            int firstPanel = index * PanelsPerPiece;
            int panels = Math.Min(packed.PanelCount - firstPanel, PanelsPerPiece);
            int width = packed.PanelWidth;
            int columns = packed.Columns - (firstPanel * width);
            int full = Math.Min(columns / width, panels);
            float* source = b + (firstPanel * width);
            CopyPanels(source, (float*)packed.Panel(firstPanel), full, width);
            if (full < panels)
            {
                CopyLast(source + (full * width), (float*)packed.Panel(firstPanel + full), columns - (full * width), width);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void CopyPanels(float* source, float* firstPanel, int panels, int width)
        {
            nint panelStride = (nint)width * packed.Depth;
            for (int k = 0; k < packed.Depth; k++, source += stride, firstPanel += width)
            {
                float* from = source;
                float* to = firstPanel;
                for (int panel = 0; panel < panels; panel++, to += panelStride, from += width)
                {
                    for (int column = 0; column < width; column += VectorMath.Lanes)
                    {
                        Vector512.Load(from + column).Store(to + column);
                    }
                }
            }
        }

        /// <summary>Copies the columns that don't fill a panel, and zeros.</summary>
        private void CopyLast(float* source, float* panel, int columns, int width)
        {
            for (int k = 0; k < packed.Depth; k++, source += stride, panel += width)
            {
                new ReadOnlySpan<float>(source, columns).CopyTo(new Span<float>(panel, columns));
                new Span<float>(panel + columns, width - columns).Clear();
            }
        }
    }
}
