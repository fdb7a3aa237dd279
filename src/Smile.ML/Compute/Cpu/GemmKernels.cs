using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The inner loops of <see cref="Gemm"/>: tiles of a few rows by one or two vectors of columns, summed in registers over a block of inputs.
/// </summary>
/// <typeparam name="TSimd">The vector operations.</typeparam>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TFormat">How the elements of B lie in memory.</typeparam>
internal static unsafe partial class GemmKernels<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IWeightFormat
{
    private const int MaxSums = 12 * 32;
    private const int MaxRowVectors = 8;

    /// <summary>Gets the most panels of a width that <see cref="MultiplyRow"/> takes at a time; it takes half of them, too.</summary>
    public static int PanelsPerRow(int panelWidth) => MaxRowVectors * TSimd.Lanes / panelWidth;

    /// <summary>
    /// Multiplies one row by <see cref="PanelsPerRow"/> or half as many neighbouring full panels, for one block of inputs: as many sums at a
    /// time as the latency of an addition takes.
    /// </summary>
    /// <param name="tile">The operands.</param>
    public static void MultiplyRow(in GemmTile tile)
    {
        if (tile.Columns == MaxRowVectors * TSimd.Lanes)
        {
            MultiplyRow<EightVectors>(tile);
        }
        else
        {
            MultiplyRow<FourVectors>(tile);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    private static void MultiplyRow<TWidth>(in GemmTile tile)
        where TWidth : struct
    {
        bool eight = typeof(TWidth) == typeof(EightVectors);
        float* a = tile.SourceRow(0);
        byte* b0 = RowVector(tile, 0);
        byte* b1 = RowVector(tile, 1);
        byte* b2 = RowVector(tile, 2);
        byte* b3 = RowVector(tile, 3);
        byte* b4 = RowVector(tile, eight ? 4 : 0);
        byte* b5 = RowVector(tile, eight ? 5 : 0);
        byte* b6 = RowVector(tile, eight ? 6 : 0);
        byte* b7 = RowVector(tile, eight ? 7 : 0);
        nint bStride = tile.BStride * TFormat.Bytes;

        // Declared only now: sums that live across a call would live in memory throughout.
        TVector v0 = default, v1 = default, v2 = default, v3 = default, v4 = default, v5 = default, v6 = default, v7 = default;
        for (float* end = a + tile.Depth; a < end; a++)
        {
            TVector x = TSimd.Broadcast(*a);
            v0 = TSimd.MultiplyAdd(x, LoadB(b0), v0);
            b0 += bStride;
            v1 = TSimd.MultiplyAdd(x, LoadB(b1), v1);
            b1 += bStride;
            v2 = TSimd.MultiplyAdd(x, LoadB(b2), v2);
            b2 += bStride;
            v3 = TSimd.MultiplyAdd(x, LoadB(b3), v3);
            b3 += bStride;
            if (eight)
            {
                v4 = TSimd.MultiplyAdd(x, LoadB(b4), v4);
                b4 += bStride;
                v5 = TSimd.MultiplyAdd(x, LoadB(b5), v5);
                b5 += bStride;
                v6 = TSimd.MultiplyAdd(x, LoadB(b6), v6);
                b6 += bStride;
                v7 = TSimd.MultiplyAdd(x, LoadB(b7), v7);
                b7 += bStride;
            }
        }

        float* sums = stackalloc float[MaxRowVectors * TSimd.Lanes];
        TSimd.Store(v0, sums);
        TSimd.Store(v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(v2, sums + 2 * TSimd.Lanes);
        TSimd.Store(v3, sums + 3 * TSimd.Lanes);
        if (eight)
        {
            TSimd.Store(v4, sums + 4 * TSimd.Lanes);
            TSimd.Store(v5, sums + 5 * TSimd.Lanes);
            TSimd.Store(v6, sums + 6 * TSimd.Lanes);
            TSimd.Store(v7, sums + 7 * TSimd.Lanes);
        }

        Finish(tile, 0, 1, 0, tile.Columns, sums, tile.Columns);
    }

    /// <summary>Multiplies any number of rows by the columns of one panel, for one block of inputs.</summary>
    /// <param name="panel">The operands.</param>
    public static void MultiplyPanel(in GemmTile panel)
    {
        if (panel.Bias == null)
        {
            MultiplyPanel<WithoutBias>(panel);
        }
        else
        {
            MultiplyPanel<WithBias>(panel);
        }
    }

    private static void MultiplyPanel<TBias>(in GemmTile panel)
        where TBias : struct, IBias
    {
        // Experts have scales and targets, dense layers neither. One alone isn't worth a tile's end of its own.
        if (panel.RowScales != null ^ panel.TargetRows != null)
        {
            MultiplyPanelTo<Keep>(panel);
        }
        else if (panel.RowScales != null)
        {
            MultiplyPanelTo<AddScaled<TBias>>(panel);
        }
        else if (panel.Accumulate)
        {
            MultiplyPanelTo<Add<TBias>>(panel);
        }
        else
        {
            MultiplyPanelTo<Store<TBias>>(panel);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    private static void MultiplyPanelTo<TEnd>(in GemmTile panel)
        where TEnd : struct, ITileEnd
    {
        // A 16-column panel is one vector of AVX-512 and two of AVX2; wider ones are taken two vectors at a time.
        bool narrow = panel.BStride < 2 * TSimd.Lanes;
        int width = narrow ? TSimd.Lanes : 2 * TSimd.Lanes;
        float* room = stackalloc float[MaxSums + (NativeBuffer.Alignment / sizeof(float))];
        float* sums = (float*)(((nuint)room + NativeBuffer.Alignment - 1) & ~(nuint)(NativeBuffer.Alignment - 1));
        for (int column = 0; column < panel.Columns; column += width)
        {
            int columns = Math.Min(width, panel.Columns - column);
            for (int row = 0; row < panel.Rows;)
            {
                int left = panel.Rows - row;
                int height = TileHeight(left, narrow, panel.SourceRows != null);
                int rows = Math.Min(left, height);
                if (rows == height && columns == width && typeof(TEnd) != typeof(Keep))
                {
                    MultiplyTile<TEnd>(panel, row, height, narrow, column, sums);
                }
                else
                {
                    MultiplyTile<Keep>(panel, row, height, narrow, column, sums);
                    Finish(panel, row, rows, column, columns, sums, width);
                }

                row += rows;
            }
        }
    }

    /// <summary>
    /// Gets the height of the next tile: the largest, but for a rest that two others cover with fewer rows repeated. Scattered rows need a pointer
    /// each, which the registers have for eight.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TileHeight(int rows, bool narrow, bool scattered)
    {
        if (TSimd.TileRows < 12)
        {
            return rows is > 4 and not 7 and not 8 ? 6 : 4;
        }

        if (narrow)
        {
            return rows is 12 or > 16 && !scattered ? 12 : 8;
        }

        return rows switch
        {
            13 or 14 => 8,
            >= 12 when !scattered => 12,
            9 or 10 => 6,
            > 6 => 8,
            > 4 => 6,
            _ => 4,
        };
    }

    /// <summary>Multiplies a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyTile<TEnd>(in GemmTile panel, int row, int height, bool narrow, int column, float* sums)
        where TEnd : struct, ITileEnd
    {
        switch (height)
        {
            case 12 when narrow:
                Multiply12x1<TEnd>(panel, row, column, sums);
                break;
            case 12:
                Multiply12x2<TEnd>(panel, row, column, sums);
                break;
            case var _ when narrow:
                Multiply8x1<TEnd>(panel, row, column, sums);
                break;
            case 8:
                Multiply8x2<TEnd>(panel, row, column, sums);
                break;
            case 6:
                Multiply6x2<TEnd>(panel, row, column, sums);
                break;
            default:
                Multiply4x2<TEnd>(panel, row, column, sums);
                break;
        }
    }

    /// <summary>Brings the sums of part of a tile to their place in C. In the kernels themselves the branches would take registers from the loops.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Finish(in GemmTile panel, int row, int rows, int column, int columns, float* sums, int stride)
    {
        float* bias = panel.Bias == null ? null : panel.Bias + column;
        float* rowScales = panel.RowScales;
        bool accumulate = panel.Accumulate;
        for (int end = row + rows; row < end; row++, sums += stride)
        {
            float* c = panel.TargetRow(row) + column;
            float scale = 0;
            if (rowScales != null)
            {
                scale = rowScales[row];
                FetchTarget(c + columns);
            }

            TVector scales = TSimd.Broadcast(scale);
            int i = 0;
            for (; i <= columns - TSimd.Lanes; i += TSimd.Lanes)
            {
                TVector value = TSimd.Load(sums + i);
                if (bias != null)
                {
                    value = TSimd.Add(value, TSimd.Load(bias + i));
                }

                if (rowScales != null)
                {
                    value = TSimd.MultiplyAdd(scales, value, TSimd.Load(c + i));
                }
                else if (accumulate)
                {
                    value = TSimd.Add(value, TSimd.Load(c + i));
                }

                TSimd.Store(value, c + i);
            }

            for (; i < columns; i++)
            {
                float value = sums[i];
                if (bias != null)
                {
                    value += bias[i];
                }

                if (rowScales != null)
                {
                    value = MathF.FusedMultiplyAdd(scale, value, c[i]);
                }
                else if (accumulate)
                {
                    value += c[i];
                }

                c[i] = value;
            }
        }
    }

    /// <summary>
    /// Asks for what the next panel's columns will be added to: rows scattered over a matrix that the caches near the core don't hold. They
    /// arrive while other rows are computed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchTarget(float* c)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(c);
        }
    }

    /// <summary>Gets the start of a vector of columns that are counted through several panels.</summary>
    private static byte* RowVector(in GemmTile tile, int vector)
    {
        nint panel = Math.DivRem(vector * TSimd.Lanes, (int)tile.BStride, out int column);
        return tile.B + (panel * tile.PanelStride + column) * TFormat.Bytes;
    }

    /// <summary>What a kernel does with a vector of finished sums. Without a branch or a call, so that the others stay in registers.</summary>
    private interface ITileEnd
    {
        /// <summary>Takes the sums of some columns of a row.</summary>
        /// <param name="panel">The operands.</param>
        /// <param name="row">The row.</param>
        /// <param name="column">The first column.</param>
        /// <param name="value">The sums.</param>
        /// <param name="sums">Where sums are kept that go nowhere yet.</param>
        static abstract void Put(in GemmTile panel, int row, int column, TVector value, float* sums);
    }

    private interface IBias
    {
        static abstract TVector AddTo(TVector value, float* bias);
    }

    private readonly struct WithBias : IBias
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector AddTo(TVector value, float* bias) => TSimd.Add(value, TSimd.Load(bias));
    }

    private readonly struct WithoutBias : IBias
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector AddTo(TVector value, float* bias) => value;
    }

    /// <summary>Keeps the sums for <see cref="Finish"/>.</summary>
    private readonly struct Keep : ITileEnd
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(in GemmTile panel, int row, int column, TVector value, float* sums) => TSimd.Store(value, sums);
    }

    /// <summary>C = sums + bias.</summary>
    private readonly struct Store<TBias> : ITileEnd
        where TBias : struct, IBias
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(in GemmTile panel, int row, int column, TVector value, float* sums)
            => TSimd.Store(TBias.AddTo(value, panel.Bias + column), panel.C + (row * panel.CStride) + column);
    }

    /// <summary>C += sums + bias.</summary>
    private readonly struct Add<TBias> : ITileEnd
        where TBias : struct, IBias
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(in GemmTile panel, int row, int column, TVector value, float* sums)
        {
            float* c = panel.C + (row * panel.CStride) + column;
            TSimd.Store(TSimd.Add(TBias.AddTo(value, panel.Bias + column), TSimd.Load(c)), c);
        }
    }

    /// <summary>C += scale * (sums + bias).</summary>
    private readonly struct AddScaled<TBias> : ITileEnd
        where TBias : struct, IBias
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put(in GemmTile panel, int row, int column, TVector value, float* sums)
        {
            float* c = panel.C + (panel.TargetRows[row] * panel.CStride) + column;
            FetchTarget(c + (2 * TSimd.Lanes));
            TVector scale = TSimd.Broadcast(panel.RowScales[row]);
            TSimd.Store(TSimd.MultiplyAdd(scale, TBias.AddTo(value, panel.Bias + column), TSimd.Load(c)), c);
        }
    }

    private readonly struct EightVectors;

    private readonly struct FourVectors;
}
