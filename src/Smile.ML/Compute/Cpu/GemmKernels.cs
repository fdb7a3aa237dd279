using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The inner loops of <see cref="Gemm"/>: tiles of a few rows by one or two vectors of columns, summed in registers over a block of
/// inputs. Written out by hand because the registers of an array or a loop variable would live in memory.
/// </summary>
/// <typeparam name="TSimd">The vector operations.</typeparam>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TFormat">How the elements of B lie in memory.</typeparam>
internal static unsafe class GemmKernels<TSimd, TVector, TFormat>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TFormat : struct, IWeightFormat
{
    private const int MaxSums = 12 * 32;
    private const int RowVectors = 8;

    // Some sixty rows of a panel: several hundred cycles.
    private const int FetchAhead = 8192;

    /// <summary>Gets the panels of a width that <see cref="MultiplyRow"/> takes at a time.</summary>
    public static int PanelsPerRow(int panelWidth) => RowVectors * TSimd.Lanes / panelWidth;

    /// <summary>
    /// Multiplies one row by <see cref="PanelsPerRow"/> neighbouring full panels, for one block of inputs: as many sums at a time as the latency of
    /// an addition takes.
    /// </summary>
    /// <param name="tile">The operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void MultiplyRow(in GemmTile tile)
    {
        float* a = tile.SourceRow(0);
        byte* b0 = RowVector(tile, 0);
        byte* b1 = RowVector(tile, 1);
        byte* b2 = RowVector(tile, 2);
        byte* b3 = RowVector(tile, 3);
        byte* b4 = RowVector(tile, 4);
        byte* b5 = RowVector(tile, 5);
        byte* b6 = RowVector(tile, 6);
        byte* b7 = RowVector(tile, 7);
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
            v4 = TSimd.MultiplyAdd(x, LoadB(b4), v4);
            b4 += bStride;
            v5 = TSimd.MultiplyAdd(x, LoadB(b5), v5);
            b5 += bStride;
            v6 = TSimd.MultiplyAdd(x, LoadB(b6), v6);
            b6 += bStride;
            v7 = TSimd.MultiplyAdd(x, LoadB(b7), v7);
            b7 += bStride;
        }

        float* sums = stackalloc float[RowVectors * TSimd.Lanes];
        TSimd.Store(v0, sums);
        TSimd.Store(v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(v2, sums + 2 * TSimd.Lanes);
        TSimd.Store(v3, sums + 3 * TSimd.Lanes);
        TSimd.Store(v4, sums + 4 * TSimd.Lanes);
        TSimd.Store(v5, sums + 5 * TSimd.Lanes);
        TSimd.Store(v6, sums + 6 * TSimd.Lanes);
        TSimd.Store(v7, sums + 7 * TSimd.Lanes);
        Finish(tile, 0, 1, 0, RowVectors * TSimd.Lanes, sums, RowVectors * TSimd.Lanes);
    }

    /// <summary>Multiplies any number of rows by the columns of one panel, for one block of inputs.</summary>
    /// <param name="panel">The operands.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    [SkipLocalsInit]
    public static void MultiplyPanel(in GemmTile panel)
    {
        // A 16-column panel is one vector of AVX-512 and two of AVX2; wider ones are taken two vectors at a time.
        bool narrow = panel.BStride < 2 * TSimd.Lanes;
        int width = narrow ? TSimd.Lanes : 2 * TSimd.Lanes;
        float* room = stackalloc float[MaxSums + (NativeBuffer.Alignment / sizeof(float))];
        float* sums = (float*)(((nuint)room + NativeBuffer.Alignment - 1) & ~(nuint)(NativeBuffer.Alignment - 1));
        for (int column = 0; column < panel.Columns; column += width)
        {
            byte* b = panel.B + column * TFormat.Bytes;
            int columns = Math.Min(width, panel.Columns - column);
            for (int row = 0; row < panel.Rows;)
            {
                int left = panel.Rows - row;
                int height = TileHeight(left, narrow, panel.SourceRows != null);
                int rows = Math.Min(left, height);
                Sum(panel, row, height, narrow, b, sums);
                Finish(panel, row, rows, column, columns, sums, width);
                row += rows;
            }
        }
    }

    /// <summary>Gets the rows of the next tile. Scattered rows need a pointer each, which the registers have for eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TileHeight(int rows, bool narrow, bool scattered)
    {
        if (TSimd.TileRows == 12)
        {
            return rows >= 12 && !scattered ? 12 : rows > 6 || narrow ? 8 : rows > 4 ? 6 : 4;
        }

        return rows > 4 ? 6 : 4;
    }

    /// <summary>Sums a tile's products.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sum(in GemmTile panel, int row, int height, bool narrow, byte* b, float* sums)
    {
        switch (height)
        {
            case 12 when narrow:
                Sums12x1(panel, row, b, sums);
                break;
            case 12:
                Sums12x2(panel, row, b, sums);
                break;
            case var _ when narrow:
                Sums8x1(panel, row, b, sums);
                break;
            case 8:
                Sums8x2(panel, row, b, sums);
                break;
            case 6:
                Sums6x2(panel, row, b, sums);
                break;
            default:
                Sums4x2(panel, row, b, sums);
                break;
        }
    }

    /// <summary>Brings sums to their place in C. In the kernels themselves this would take registers from their loops.</summary>
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
                FetchTarget(c + columns, columns);
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
    /// Asks for what the columns after these will be added to: rows scattered over a matrix that the caches near the core don't hold. They
    /// arrive while other rows are computed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchTarget(float* c, int columns)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(c);
            Sse.Prefetch0(c + columns - 1);
        }
    }

    /// <summary>Twelve rows by two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums12x2(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        TVector r4v0 = default, r4v1 = default;
        TVector r5v0 = default, r5v1 = default;
        TVector r6v0 = default, r6v1 = default;
        TVector r7v0 = default, r7v1 = default;
        TVector r8v0 = default, r8v1 = default;
        TVector r9v0 = default, r9v1 = default;
        TVector r10v0 = default, r10v1 = default;
        TVector r11v0 = default, r11v1 = default;
        nint stride = panel.AStride;
        nint stride2 = 2 * stride;
        float* a0 = panel.SourceRow(row), a3 = a0 + 3 * stride, a6 = a3 + 3 * stride, a9 = a6 + 3 * stride;
        nint bStride = panel.BStride * TFormat.Bytes;
        for (byte* end = b + panel.Depth * bStride; b < end; b += bStride)
        {
            FetchB(b);
            TVector b0 = LoadB(b);
            TVector b1 = LoadB(b + TSimd.Lanes * TFormat.Bytes);
            TVector x = TSimd.Broadcast(a0[0]);
            r0v0 = TSimd.MultiplyAdd(x, b0, r0v0);
            r0v1 = TSimd.MultiplyAdd(x, b1, r0v1);
            x = TSimd.Broadcast(a0[stride]);
            r1v0 = TSimd.MultiplyAdd(x, b0, r1v0);
            r1v1 = TSimd.MultiplyAdd(x, b1, r1v1);
            x = TSimd.Broadcast(a0[stride2]);
            r2v0 = TSimd.MultiplyAdd(x, b0, r2v0);
            r2v1 = TSimd.MultiplyAdd(x, b1, r2v1);
            x = TSimd.Broadcast(a3[0]);
            r3v0 = TSimd.MultiplyAdd(x, b0, r3v0);
            r3v1 = TSimd.MultiplyAdd(x, b1, r3v1);
            x = TSimd.Broadcast(a3[stride]);
            r4v0 = TSimd.MultiplyAdd(x, b0, r4v0);
            r4v1 = TSimd.MultiplyAdd(x, b1, r4v1);
            x = TSimd.Broadcast(a3[stride2]);
            r5v0 = TSimd.MultiplyAdd(x, b0, r5v0);
            r5v1 = TSimd.MultiplyAdd(x, b1, r5v1);
            x = TSimd.Broadcast(a6[0]);
            r6v0 = TSimd.MultiplyAdd(x, b0, r6v0);
            r6v1 = TSimd.MultiplyAdd(x, b1, r6v1);
            x = TSimd.Broadcast(a6[stride]);
            r7v0 = TSimd.MultiplyAdd(x, b0, r7v0);
            r7v1 = TSimd.MultiplyAdd(x, b1, r7v1);
            x = TSimd.Broadcast(a6[stride2]);
            r8v0 = TSimd.MultiplyAdd(x, b0, r8v0);
            r8v1 = TSimd.MultiplyAdd(x, b1, r8v1);
            x = TSimd.Broadcast(a9[0]);
            r9v0 = TSimd.MultiplyAdd(x, b0, r9v0);
            r9v1 = TSimd.MultiplyAdd(x, b1, r9v1);
            x = TSimd.Broadcast(a9[stride]);
            r10v0 = TSimd.MultiplyAdd(x, b0, r10v0);
            r10v1 = TSimd.MultiplyAdd(x, b1, r10v1);
            x = TSimd.Broadcast(a9[stride2]);
            r11v0 = TSimd.MultiplyAdd(x, b0, r11v0);
            r11v1 = TSimd.MultiplyAdd(x, b1, r11v1);
            a0++;
            a3++;
            a6++;
            a9++;
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r0v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(r1v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r1v1, sums + 3 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r2v1, sums + 5 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r3v1, sums + 7 * TSimd.Lanes);
        TSimd.Store(r4v0, sums + 8 * TSimd.Lanes);
        TSimd.Store(r4v1, sums + 9 * TSimd.Lanes);
        TSimd.Store(r5v0, sums + 10 * TSimd.Lanes);
        TSimd.Store(r5v1, sums + 11 * TSimd.Lanes);
        TSimd.Store(r6v0, sums + 12 * TSimd.Lanes);
        TSimd.Store(r6v1, sums + 13 * TSimd.Lanes);
        TSimd.Store(r7v0, sums + 14 * TSimd.Lanes);
        TSimd.Store(r7v1, sums + 15 * TSimd.Lanes);
        TSimd.Store(r8v0, sums + 16 * TSimd.Lanes);
        TSimd.Store(r8v1, sums + 17 * TSimd.Lanes);
        TSimd.Store(r9v0, sums + 18 * TSimd.Lanes);
        TSimd.Store(r9v1, sums + 19 * TSimd.Lanes);
        TSimd.Store(r10v0, sums + 20 * TSimd.Lanes);
        TSimd.Store(r10v1, sums + 21 * TSimd.Lanes);
        TSimd.Store(r11v0, sums + 22 * TSimd.Lanes);
        TSimd.Store(r11v1, sums + 23 * TSimd.Lanes);
    }

    /// <summary>Eight rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums8x2(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        TVector r4v0 = default, r4v1 = default;
        TVector r5v0 = default, r5v1 = default;
        TVector r6v0 = default, r6v1 = default;
        TVector r7v0 = default, r7v1 = default;
        int last = Math.Min(8, panel.Rows - row) - 1;
        float* a0 = panel.SourceRow(row);
        float* a1 = panel.SourceRow(row + Math.Min(1, last)), a2 = panel.SourceRow(row + Math.Min(2, last));
        float* a3 = panel.SourceRow(row + Math.Min(3, last)), a4 = panel.SourceRow(row + Math.Min(4, last));
        float* a5 = panel.SourceRow(row + Math.Min(5, last)), a6 = panel.SourceRow(row + Math.Min(6, last));
        float* a7 = panel.SourceRow(row + Math.Min(7, last));
        nint bStride = panel.BStride * TFormat.Bytes;
        nint depth = panel.Depth;
        for (nint k = 0; k < depth; k++, b += bStride)
        {
            FetchB(b);
            TVector b0 = LoadB(b);
            TVector b1 = LoadB(b + TSimd.Lanes * TFormat.Bytes);
            TVector x = TSimd.Broadcast(a0[k]);
            r0v0 = TSimd.MultiplyAdd(x, b0, r0v0);
            r0v1 = TSimd.MultiplyAdd(x, b1, r0v1);
            x = TSimd.Broadcast(a1[k]);
            r1v0 = TSimd.MultiplyAdd(x, b0, r1v0);
            r1v1 = TSimd.MultiplyAdd(x, b1, r1v1);
            x = TSimd.Broadcast(a2[k]);
            r2v0 = TSimd.MultiplyAdd(x, b0, r2v0);
            r2v1 = TSimd.MultiplyAdd(x, b1, r2v1);
            x = TSimd.Broadcast(a3[k]);
            r3v0 = TSimd.MultiplyAdd(x, b0, r3v0);
            r3v1 = TSimd.MultiplyAdd(x, b1, r3v1);
            x = TSimd.Broadcast(a4[k]);
            r4v0 = TSimd.MultiplyAdd(x, b0, r4v0);
            r4v1 = TSimd.MultiplyAdd(x, b1, r4v1);
            x = TSimd.Broadcast(a5[k]);
            r5v0 = TSimd.MultiplyAdd(x, b0, r5v0);
            r5v1 = TSimd.MultiplyAdd(x, b1, r5v1);
            x = TSimd.Broadcast(a6[k]);
            r6v0 = TSimd.MultiplyAdd(x, b0, r6v0);
            r6v1 = TSimd.MultiplyAdd(x, b1, r6v1);
            x = TSimd.Broadcast(a7[k]);
            r7v0 = TSimd.MultiplyAdd(x, b0, r7v0);
            r7v1 = TSimd.MultiplyAdd(x, b1, r7v1);
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r0v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(r1v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r1v1, sums + 3 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r2v1, sums + 5 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r3v1, sums + 7 * TSimd.Lanes);
        TSimd.Store(r4v0, sums + 8 * TSimd.Lanes);
        TSimd.Store(r4v1, sums + 9 * TSimd.Lanes);
        TSimd.Store(r5v0, sums + 10 * TSimd.Lanes);
        TSimd.Store(r5v1, sums + 11 * TSimd.Lanes);
        TSimd.Store(r6v0, sums + 12 * TSimd.Lanes);
        TSimd.Store(r6v1, sums + 13 * TSimd.Lanes);
        TSimd.Store(r7v0, sums + 14 * TSimd.Lanes);
        TSimd.Store(r7v1, sums + 15 * TSimd.Lanes);
    }

    /// <summary>Six rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums6x2(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        TVector r4v0 = default, r4v1 = default;
        TVector r5v0 = default, r5v1 = default;
        int last = Math.Min(6, panel.Rows - row) - 1;
        float* a0 = panel.SourceRow(row);
        float* a1 = panel.SourceRow(row + Math.Min(1, last)), a2 = panel.SourceRow(row + Math.Min(2, last));
        float* a3 = panel.SourceRow(row + Math.Min(3, last)), a4 = panel.SourceRow(row + Math.Min(4, last));
        float* a5 = panel.SourceRow(row + Math.Min(5, last));
        nint bStride = panel.BStride * TFormat.Bytes;
        nint depth = panel.Depth;
        for (nint k = 0; k < depth; k++, b += bStride)
        {
            FetchB(b);
            TVector b0 = LoadB(b);
            TVector b1 = LoadB(b + TSimd.Lanes * TFormat.Bytes);
            TVector x = TSimd.Broadcast(a0[k]);
            r0v0 = TSimd.MultiplyAdd(x, b0, r0v0);
            r0v1 = TSimd.MultiplyAdd(x, b1, r0v1);
            x = TSimd.Broadcast(a1[k]);
            r1v0 = TSimd.MultiplyAdd(x, b0, r1v0);
            r1v1 = TSimd.MultiplyAdd(x, b1, r1v1);
            x = TSimd.Broadcast(a2[k]);
            r2v0 = TSimd.MultiplyAdd(x, b0, r2v0);
            r2v1 = TSimd.MultiplyAdd(x, b1, r2v1);
            x = TSimd.Broadcast(a3[k]);
            r3v0 = TSimd.MultiplyAdd(x, b0, r3v0);
            r3v1 = TSimd.MultiplyAdd(x, b1, r3v1);
            x = TSimd.Broadcast(a4[k]);
            r4v0 = TSimd.MultiplyAdd(x, b0, r4v0);
            r4v1 = TSimd.MultiplyAdd(x, b1, r4v1);
            x = TSimd.Broadcast(a5[k]);
            r5v0 = TSimd.MultiplyAdd(x, b0, r5v0);
            r5v1 = TSimd.MultiplyAdd(x, b1, r5v1);
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r0v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(r1v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r1v1, sums + 3 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r2v1, sums + 5 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r3v1, sums + 7 * TSimd.Lanes);
        TSimd.Store(r4v0, sums + 8 * TSimd.Lanes);
        TSimd.Store(r4v1, sums + 9 * TSimd.Lanes);
        TSimd.Store(r5v0, sums + 10 * TSimd.Lanes);
        TSimd.Store(r5v1, sums + 11 * TSimd.Lanes);
    }

    /// <summary>Four rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums4x2(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        int last = Math.Min(4, panel.Rows - row) - 1;
        float* a0 = panel.SourceRow(row);
        float* a1 = panel.SourceRow(row + Math.Min(1, last)), a2 = panel.SourceRow(row + Math.Min(2, last));
        float* a3 = panel.SourceRow(row + Math.Min(3, last));
        nint bStride = panel.BStride * TFormat.Bytes;
        nint depth = panel.Depth;
        for (nint k = 0; k < depth; k++, b += bStride)
        {
            FetchB(b);
            TVector b0 = LoadB(b);
            TVector b1 = LoadB(b + TSimd.Lanes * TFormat.Bytes);
            TVector x = TSimd.Broadcast(a0[k]);
            r0v0 = TSimd.MultiplyAdd(x, b0, r0v0);
            r0v1 = TSimd.MultiplyAdd(x, b1, r0v1);
            x = TSimd.Broadcast(a1[k]);
            r1v0 = TSimd.MultiplyAdd(x, b0, r1v0);
            r1v1 = TSimd.MultiplyAdd(x, b1, r1v1);
            x = TSimd.Broadcast(a2[k]);
            r2v0 = TSimd.MultiplyAdd(x, b0, r2v0);
            r2v1 = TSimd.MultiplyAdd(x, b1, r2v1);
            x = TSimd.Broadcast(a3[k]);
            r3v0 = TSimd.MultiplyAdd(x, b0, r3v0);
            r3v1 = TSimd.MultiplyAdd(x, b1, r3v1);
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r0v1, sums + 1 * TSimd.Lanes);
        TSimd.Store(r1v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r1v1, sums + 3 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r2v1, sums + 5 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r3v1, sums + 7 * TSimd.Lanes);
    }

    /// <summary>Twelve rows by a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums12x1(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default;
        TVector r1v0 = default;
        TVector r2v0 = default;
        TVector r3v0 = default;
        TVector r4v0 = default;
        TVector r5v0 = default;
        TVector r6v0 = default;
        TVector r7v0 = default;
        TVector r8v0 = default;
        TVector r9v0 = default;
        TVector r10v0 = default;
        TVector r11v0 = default;
        nint stride = panel.AStride;
        nint stride2 = 2 * stride;
        float* a0 = panel.SourceRow(row), a3 = a0 + 3 * stride, a6 = a3 + 3 * stride, a9 = a6 + 3 * stride;
        nint bStride = panel.BStride * TFormat.Bytes;
        for (byte* end = b + panel.Depth * bStride; b < end; b += bStride)
        {
            TVector b0 = LoadB(b);
            r0v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[0]), b0, r0v0);
            r1v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[stride]), b0, r1v0);
            r2v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[stride2]), b0, r2v0);
            r3v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[0]), b0, r3v0);
            r4v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[stride]), b0, r4v0);
            r5v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[stride2]), b0, r5v0);
            r6v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a6[0]), b0, r6v0);
            r7v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a6[stride]), b0, r7v0);
            r8v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a6[stride2]), b0, r8v0);
            r9v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a9[0]), b0, r9v0);
            r10v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a9[stride]), b0, r10v0);
            r11v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a9[stride2]), b0, r11v0);
            a0++;
            a3++;
            a6++;
            a9++;
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r1v0, sums + 1 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 3 * TSimd.Lanes);
        TSimd.Store(r4v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r5v0, sums + 5 * TSimd.Lanes);
        TSimd.Store(r6v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r7v0, sums + 7 * TSimd.Lanes);
        TSimd.Store(r8v0, sums + 8 * TSimd.Lanes);
        TSimd.Store(r9v0, sums + 9 * TSimd.Lanes);
        TSimd.Store(r10v0, sums + 10 * TSimd.Lanes);
        TSimd.Store(r11v0, sums + 11 * TSimd.Lanes);
    }

    /// <summary>Eight rows by a vector. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sums8x1(in GemmTile panel, int row, byte* b, float* sums)
    {
        TVector r0v0 = default;
        TVector r1v0 = default;
        TVector r2v0 = default;
        TVector r3v0 = default;
        TVector r4v0 = default;
        TVector r5v0 = default;
        TVector r6v0 = default;
        TVector r7v0 = default;
        int last = Math.Min(8, panel.Rows - row) - 1;
        float* a0 = panel.SourceRow(row);
        float* a1 = panel.SourceRow(row + Math.Min(1, last)), a2 = panel.SourceRow(row + Math.Min(2, last));
        float* a3 = panel.SourceRow(row + Math.Min(3, last)), a4 = panel.SourceRow(row + Math.Min(4, last));
        float* a5 = panel.SourceRow(row + Math.Min(5, last)), a6 = panel.SourceRow(row + Math.Min(6, last));
        float* a7 = panel.SourceRow(row + Math.Min(7, last));
        nint bStride = panel.BStride * TFormat.Bytes;
        nint depth = panel.Depth;
        for (nint k = 0; k < depth; k++, b += bStride)
        {
            TVector b0 = LoadB(b);
            r0v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a0[k]), b0, r0v0);
            r1v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a1[k]), b0, r1v0);
            r2v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a2[k]), b0, r2v0);
            r3v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[k]), b0, r3v0);
            r4v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a4[k]), b0, r4v0);
            r5v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a5[k]), b0, r5v0);
            r6v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a6[k]), b0, r6v0);
            r7v0 = TSimd.MultiplyAdd(TSimd.Broadcast(a7[k]), b0, r7v0);
        }

        TSimd.Store(r0v0, sums);
        TSimd.Store(r1v0, sums + 1 * TSimd.Lanes);
        TSimd.Store(r2v0, sums + 2 * TSimd.Lanes);
        TSimd.Store(r3v0, sums + 3 * TSimd.Lanes);
        TSimd.Store(r4v0, sums + 4 * TSimd.Lanes);
        TSimd.Store(r5v0, sums + 5 * TSimd.Lanes);
        TSimd.Store(r6v0, sums + 6 * TSimd.Lanes);
        TSimd.Store(r7v0, sums + 7 * TSimd.Lanes);
    }

    /// <summary>Gets the start of a vector of columns that are counted through several panels.</summary>
    private static byte* RowVector(in GemmTile tile, int vector)
    {
        nint panel = Math.DivRem(vector * TSimd.Lanes, (int)tile.BStride, out int column);
        return tile.B + (panel * tile.PanelStride + column) * TFormat.Bytes;
    }

    /// <summary>
    /// Asks for the elements of B some rows further on. With few rows of A, B comes from memory faster than the processor guesses where
    /// the next panel's half will be read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchB(byte* source)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch1(source + FetchAhead);
            if (2 * TSimd.Lanes * TFormat.Bytes > NativeBuffer.Alignment)
            {
                Sse.Prefetch1(source + FetchAhead + NativeBuffer.Alignment);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector LoadB(byte* source) => TFormat.Load<TSimd, TVector>(source);
}
