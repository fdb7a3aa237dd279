using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Matrix products in float32. Every element of a result is one sequential chain of fused multiply-adds per block of <see cref="DepthBlock"/>
/// inputs; to the first block's sum the bias is added, then what the result held, then the sums of the other blocks. The order is the same
/// for any number of threads, any number of rows per call and any vector width, so results are equal bit by bit.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>The inputs summed in registers before a partial result is written: of so many, a tile's part of B stays in a 32 KiB first-level cache.</summary>
    public const int DepthBlock = 256;

    // Inputs of A that all panels pass over before the next.
    private const int ABlock = 768;

    // 120 rows x ABlock inputs: less than a 512 KiB second-level cache, and a multiple of every tile height.
    private const int RowBlock = 120;

    // Rows so many floats apart, or a multiple, compete for few sets of the first-level cache. They are copied where so many panels use the copy.
    private const int RivalStride = 512;
    private const int PanelsPerCopy = 8;

    // Weights that stay in the second-level cache as a whole. Then a few rows go along all panels, so that C is met row by row.
    private const int SmallWeights = 128 * 1024;
    private const int FewRows = 24;

    // Below this many weights x (rows + 8), i.e. some ten microseconds, a fork-join costs more than it brings.
    private const long ParallelThreshold = 1_000_000;

    // Threads begin with as many pieces each and end together only if the pieces are small: of some hundred microseconds, in weights x rows.
    private const int PiecesPerThread = 8;
    private const long PieceWork = 10_000_000;

    /// <summary>Gets the vector width in bits that suits this machine: 512, 256 or 128.</summary>
    public static int PreferredVectorBits { get; } =
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>Multiplies one left-hand matrix by several right-hand ones.</summary>
    /// <param name="pool">The threads to use; they join once for all outputs.</param>
    /// <param name="rows">The rows of A; may be 0.</param>
    /// <param name="a">A [rows, depth], row-major.</param>
    /// <param name="stride">The floats from one row of A to the next.</param>
    /// <param name="outputs">The products. All share A, hence the depth. Results must not overlap each other, A or a bias.</param>
    /// <exception cref="ArgumentException">The outputs differ in depth, or a stride is shorter than its row.</exception>
    /// <exception cref="ObjectDisposedException">A right-hand matrix is disposed.</exception>
    public static void Multiply(WorkerPool pool, int rows, float* a, nint stride, ReadOnlySpan<GemmOutput> outputs)
        => Multiply(pool, rows, a, stride, outputs, PreferredVectorBits);

    /// <summary>As the other overload, with a vector width to use. The result does not depend on it.</summary>
    /// <param name="pool">The threads to use.</param>
    /// <param name="rows">The rows of A.</param>
    /// <param name="a">A [rows, depth], row-major.</param>
    /// <param name="stride">The floats from one row of A to the next.</param>
    /// <param name="outputs">The products.</param>
    /// <param name="vectorBits">512, 256 or 128.</param>
    internal static void Multiply(
        WorkerPool pool, int rows, float* a, nint stride, ReadOnlySpan<GemmOutput> outputs, int vectorBits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        if (outputs.IsEmpty)
        {
            return;
        }

        Check(stride, outputs);
        if (rows == 0)
        {
            return;
        }

        switch (vectorBits)
        {
            case 512:
                Multiply<Simd512, Vector512<float>>(pool, rows, a, stride, outputs);
                break;
            case 256:
                Multiply<Simd256, Vector256<float>>(pool, rows, a, stride, outputs);
                break;
            case 128:
                Multiply<Simd128, Vector128<float>>(pool, rows, a, stride, outputs);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(vectorBits), vectorBits, "Expected 512, 256 or 128.");
        }
    }

    private static void Check(nint stride, ReadOnlySpan<GemmOutput> outputs)
    {
        int depth = outputs[0].Weights.Depth;
        if (stride < depth)
        {
            throw new ArgumentException($"The rows of A lie {stride} floats apart, but hold {depth}.", nameof(stride));
        }

        foreach (ref readonly GemmOutput output in outputs)
        {
            if (output.Weights.Depth != depth)
            {
                throw new ArgumentException($"Depths {depth} and {output.Weights.Depth} in one product.", nameof(outputs));
            }

            if (output.Stride < output.Weights.Columns)
            {
                throw new ArgumentException(
                    $"The rows of a result lie {output.Stride} floats apart, but hold {output.Weights.Columns}.", nameof(outputs));
            }
        }
    }

    private static void Multiply<TSimd, TVector>(
        WorkerPool pool, int rows, float* a, nint stride, ReadOnlySpan<GemmOutput> outputs)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        var work = new Blocks<TSimd, TVector>(rows, a, stride, outputs, pool.Threads);
        if (work.WorthSharing)
        {
            pool.For(work.Count, ref work);
        }
        else
        {
            for (int i = 0; i < work.Count; i++)
            {
                work.Execute(i);
            }
        }

        foreach (ref readonly GemmOutput output in outputs)
        {
            GC.KeepAlive(output.Weights);
        }
    }

    /// <summary>The products cut into blocks of rows x runs of panels; the panels of all outputs are numbered through.</summary>
    private readonly ref struct Blocks<TSimd, TVector> : IParallelWork
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        private readonly float* _a;
        private readonly nint _stride;
        private readonly ReadOnlySpan<GemmOutput> _outputs;
        private readonly int _rows;
        private readonly int _rowsPerBlock;
        private readonly int _panels;
        private readonly int _step;
        private readonly int _runs;
        private readonly bool _copies;

        public Blocks(int rows, float* a, nint stride, ReadOnlySpan<GemmOutput> outputs, int threads)
        {
            _rows = rows;
            _a = a;
            _stride = stride;
            _outputs = outputs;
            long weights = 0;
            foreach (ref readonly GemmOutput output in outputs)
            {
                _panels += output.Weights.PanelCount;
                weights += (long)output.Weights.Columns * output.Weights.Depth;
            }

            // Blocks of equal height, each a multiple of the tile's.
            int tileRows = TSimd.TileRows;
            int tiles = DivideUp(rows, tileRows);
            int blocks = DivideUp(tiles, (weights <= SmallWeights ? FewRows : RowBlock) / tileRows);
            _rowsPerBlock = DivideUp(tiles, blocks) * tileRows;

            WorthSharing = threads > 1 && weights * (rows + 8L) >= ParallelThreshold;
            bool rivals = stride % RivalStride == 0 && _rowsPerBlock > tileRows;
            int panelsPerRun = rivals ? 2 * PanelsPerCopy : PanelsPerCopy;

            // A single row goes along a group of panels at a time, or half a group.
            int group = rows == 1 ? GemmKernels<TSimd, TVector, WeightFormats.Float32>.PanelsPerRow(PackedMatrix.WidePanel) : 1;
            _step = DivideUp(group, 2);
            int runs = rows == 1
                ? threads * Math.Clamp(_panels / (group * threads), 1, PiecesPerThread)
                : Math.Max(DivideUp(threads * PiecesPerThread, blocks), (int)Math.Min(_panels / panelsPerRun, weights * _rowsPerBlock / PieceWork));
            _runs = WorthSharing ? Math.Min(DivideUp(_panels, _step), runs) : 1;
            Count = checked(blocks * _runs);
            _copies = rivals && _panels / _runs >= PanelsPerCopy;
        }

        public int Count { get; }

        public bool WorthSharing { get; }

        public void Execute(int index)
        {
            int firstRow = index / _runs * _rowsPerBlock;
            int run = index % _runs;
            int firstPanel = RunStart(run);
            int endPanel = RunStart(run + 1);
            int depth = _outputs[0].Weights.Depth;
            int start = 0;
            do
            {
                var block = new RowsOfA
                {
                    Pointer = _a + (firstRow * _stride) + start,
                    Stride = _stride,
                    FirstRow = firstRow,
                    Rows = Math.Min(_rowsPerBlock, _rows - firstRow),
                    Start = start,
                    Length = Math.Min(ABlock, depth - start),
                };
                if (_copies)
                {
                    MultiplyCopy(block, firstPanel, endPanel);
                }
                else
                {
                    MultiplyBlock(block, firstPanel, endPanel);
                }

                start += block.Length;
            }
            while (start < depth);
        }

        private int RunStart(int run) => Math.Min(_panels, WorkerPool.ShareStart(DivideUp(_panels, _step), run, _runs) * _step);

        /// <summary>Multiplies a copy of a block of A, with a cache line between its rows.</summary>
        private void MultiplyCopy(in RowsOfA block, int firstPanel, int endPanel)
        {
            int stride = block.Length + (NativeBuffer.Alignment / sizeof(float));
            float[] rented = ArrayPool<float>.Shared.Rent(block.Rows * stride);
            fixed (float* copy = rented)
            {
                for (int row = 0; row < block.Rows; row++)
                {
                    var source = new ReadOnlySpan<float>(block.Pointer + (row * block.Stride), block.Length);
                    source.CopyTo(new Span<float>(copy + (row * stride), block.Length));
                }

                MultiplyBlock(block with { Pointer = copy, Stride = stride }, firstPanel, endPanel);
            }

            ArrayPool<float>.Shared.Return(rented);
        }

        private void MultiplyBlock(in RowsOfA block, int firstPanel, int endPanel)
        {
            int outputStart = 0;
            foreach (ref readonly GemmOutput output in _outputs)
            {
                PackedMatrix weights = output.Weights;
                int first = Math.Max(0, firstPanel - outputStart);
                int end = Math.Min(endPanel - outputStart, weights.PanelCount);
                switch (weights.Format)
                {
                    case WeightFormat.Float32:
                        MultiplyPanels<WeightFormats.Float32>(output, block, first, end);
                        break;
                    case WeightFormat.BFloat16:
                        MultiplyPanels<WeightFormats.BFloat16>(output, block, first, end);
                        break;
                    case WeightFormat.Float16:
                        MultiplyPanels<WeightFormats.Float16>(output, block, first, end);
                        break;
                }

                outputStart += weights.PanelCount;
            }
        }

        private void MultiplyPanels<TFormat>(in GemmOutput output, in RowsOfA block, int panel, int endPanel)
            where TFormat : struct, IWeightFormat
        {
            PackedMatrix weights = output.Weights;
            int width = weights.PanelWidth;
            int group = block.Rows == 1 ? GemmKernels<TSimd, TVector, TFormat>.PanelsPerRow(width) : 1;
            while (panel < endPanel)
            {
                int panels = PanelsAtOnce(weights, panel, endPanel, group);
                int from = 0;
                do
                {
                    GemmTile tile = Tile<TFormat>(output, block, from, panel, panels);
                    if (panels > 1)
                    {
                        GemmKernels<TSimd, TVector, TFormat>.MultiplyRow(tile);
                    }
                    else
                    {
                        GemmKernels<TSimd, TVector, TFormat>.MultiplyPanel(tile);
                    }

                    from += DepthBlock;
                }
                while (from < block.Length);
                panel += panels;
            }
        }

        /// <summary>Gets the panels that the next kernel takes: a whole or half group, if so many full ones are left, or one.</summary>
        private static int PanelsAtOnce(PackedMatrix weights, int panel, int endPanel, int group)
        {
            int full = Math.Min(endPanel, weights.Columns / weights.PanelWidth) - panel;
            return full >= group ? group : group > 2 && full >= group / 2 ? group / 2 : 1;
        }

        /// <summary>Gets the operands for a few panels and some inputs of a block, from one of them on.</summary>
        private GemmTile Tile<TFormat>(in GemmOutput output, in RowsOfA block, int from, int panel, int panels)
            where TFormat : struct, IWeightFormat
        {
            PackedMatrix weights = output.Weights;
            int width = weights.PanelWidth;
            int column = panel * width;
            int start = block.Start + from;
            bool inPlace = output.SourceRows == null;
            nint targetRow = output.TargetRows == null ? block.FirstRow : 0;
            return new GemmTile
            {
                Rows = block.Rows,
                A = inPlace ? block.Pointer + from : _a + start,
                AStride = inPlace ? block.Stride : _stride,
                B = weights.Panel(panel) + (nint)start * width * TFormat.Bytes,
                BStride = width,
                PanelStride = (nint)width * weights.Depth,
                Depth = Math.Min(DepthBlock, block.Length - from),
                C = output.Result + targetRow * output.Stride + column,
                CStride = output.Stride,
                Columns = Math.Min(panels * width, weights.Columns - column),
                Bias = start == 0 && output.Bias != null ? output.Bias + column : null,
                Accumulate = start > 0 || output.Accumulate,
                SourceRows = inPlace ? null : output.SourceRows + block.FirstRow,
                TargetRows = output.TargetRows == null ? null : output.TargetRows + block.FirstRow,
                RowScales = output.RowScales == null ? null : output.RowScales + block.FirstRow,
            };
        }

        private static int DivideUp(int value, int divisor) => (int)(((long)value + divisor - 1) / divisor);
    }

    /// <summary>Some rows and inputs of A.</summary>
    private readonly struct RowsOfA
    {
        public required float* Pointer { get; init; }

        public required nint Stride { get; init; }

        public required int FirstRow { get; init; }

        public required int Rows { get; init; }

        public required int Start { get; init; }

        public required int Length { get; init; }
    }
}
