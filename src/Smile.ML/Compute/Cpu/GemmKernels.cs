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
    private const int MaxTileFloats = 12 * 32;
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
    public static void MultiplyRow(in GemmTile tile)
    {
        TVector v0 = default;
        TVector v1 = default;
        TVector v2 = default;
        TVector v3 = default;
        TVector v4 = default;
        TVector v5 = default;
        TVector v6 = default;
        TVector v7 = default;
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

        float* c = tile.TargetRow(0);
        Finish(tile, 0, c, 0 * TSimd.Lanes, v0);
        Finish(tile, 0, c, 1 * TSimd.Lanes, v1);
        Finish(tile, 0, c, 2 * TSimd.Lanes, v2);
        Finish(tile, 0, c, 3 * TSimd.Lanes, v3);
        Finish(tile, 0, c, 4 * TSimd.Lanes, v4);
        Finish(tile, 0, c, 5 * TSimd.Lanes, v5);
        Finish(tile, 0, c, 6 * TSimd.Lanes, v6);
        Finish(tile, 0, c, 7 * TSimd.Lanes, v7);
    }

    /// <summary>Multiplies any number of rows by the columns of one panel, for one block of inputs.</summary>
    /// <param name="panel">The operands.</param>
    [SkipLocalsInit]
    public static void MultiplyPanel(in GemmTile panel)
    {
        // A 16-column panel is one vector of AVX-512 and two of AVX2; wider ones are taken two vectors at a time.
        bool narrow = panel.BStride < 2 * TSimd.Lanes;
        int width = narrow ? TSimd.Lanes : 2 * TSimd.Lanes;
        float* sums = stackalloc float[MaxTileFloats];
        for (int column = 0; column < panel.Columns; column += width)
        {
            int columns = Math.Min(width, panel.Columns - column);
            for (int row = 0; row < panel.Rows;)
            {
                int left = panel.Rows - row;
                int height = TileHeight(left, narrow, panel.SourceRows != null);
                if (columns == width)
                {
                    int rows = left < height ? left : left - (left % height);
                    MultiplyTiles(panel.Slice(row, rows, column, columns, TFormat.Bytes), height, narrow);
                    row += rows;
                }
                else
                {
                    GemmTile tile = panel.Slice(row, Math.Min(left, height), column, columns, TFormat.Bytes);
                    MultiplyTiles(tile.Into(sums, width), height, narrow);
                    Merge(tile, sums, width);
                    row += tile.Rows;
                }
            }
        }
    }

    /// <summary>Gets the rows of the next tile. Scattered rows need a pointer each, which the registers have for eight.</summary>
    private static int TileHeight(int rows, bool narrow, bool scattered)
    {
        if (TSimd.TileRows == 12)
        {
            return rows >= 12 && !scattered ? 12 : rows > 4 || narrow ? 8 : 4;
        }

        return rows > 4 ? 6 : 4;
    }

    /// <summary>Multiplies rows of which there are a multiple of the tile's height, or fewer than one tile's.</summary>
    private static void MultiplyTiles(in GemmTile tiles, int height, bool narrow)
    {
        switch (height)
        {
            case 12 when narrow:
                Tiles12x1(tiles);
                break;
            case 12:
                Tiles12x2(tiles);
                break;
            case var _ when narrow:
                Tiles8x1(tiles);
                break;
            case 8:
                Tiles8x2(tiles);
                break;
            case 6:
                Tiles6x2(tiles);
                break;
            default:
                Tiles4x2(tiles);
                break;
        }
    }

    /// <summary>
    /// Brings the sums of a tile that ends within a vector to their place, as <see cref="Finish(in GemmTile, int, float*, int, TVector)"/> would.
    /// </summary>
    private static void Merge(in GemmTile tile, float* sums, int stride)
    {
        for (int row = 0; row < tile.Rows; row++, sums += stride)
        {
            float* c = tile.TargetRow(row);
            int column = 0;
            for (; column <= tile.Columns - TSimd.Lanes; column += TSimd.Lanes)
            {
                Finish(tile, row, c, column, TSimd.Load(sums + column));
            }

            for (; column < tile.Columns; column++)
            {
                float value = sums[column];
                if (tile.Bias != null)
                {
                    value += tile.Bias[column];
                }

                if (tile.RowScales != null)
                {
                    value = MathF.FusedMultiplyAdd(tile.RowScales[row], value, c[column]);
                }
                else if (tile.Accumulate)
                {
                    value += c[column];
                }

                c[column] = value;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in GemmTile tile, int row, TVector v0, TVector v1)
    {
        float* c = tile.TargetRow(row);
        if (tile.Bias != null)
        {
            v0 = TSimd.Add(v0, TSimd.Load(tile.Bias));
            v1 = TSimd.Add(v1, TSimd.Load(tile.Bias + TSimd.Lanes));
        }

        if (tile.RowScales != null)
        {
            TVector scale = TSimd.Broadcast(tile.RowScales[row]);
            v0 = TSimd.MultiplyAdd(scale, v0, TSimd.Load(c));
            v1 = TSimd.MultiplyAdd(scale, v1, TSimd.Load(c + TSimd.Lanes));
        }
        else if (tile.Accumulate)
        {
            v0 = TSimd.Add(v0, TSimd.Load(c));
            v1 = TSimd.Add(v1, TSimd.Load(c + TSimd.Lanes));
        }

        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in GemmTile tile, int row, TVector v0) => Finish(tile, row, tile.TargetRow(row), 0, v0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(in GemmTile tile, int row, float* c, int column, TVector value)
    {
        if (tile.Bias != null)
        {
            value = TSimd.Add(value, TSimd.Load(tile.Bias + column));
        }

        if (tile.RowScales != null)
        {
            value = TSimd.MultiplyAdd(TSimd.Broadcast(tile.RowScales[row]), value, TSimd.Load(c + column));
        }
        else if (tile.Accumulate)
        {
            value = TSimd.Add(value, TSimd.Load(c + column));
        }

        TSimd.Store(value, c + column);
    }

    /// <summary>
    /// Asks for what the columns after these will be added to: rows scattered over a matrix that the caches near the core don't hold. They
    /// arrive while this product is computed.
    /// </summary>
    private static void FetchTargets(in GemmTile tile, int row, int count)
    {
        if (!Sse.IsSupported || tile.RowScales == null)
        {
            return;
        }

        for (int end = Math.Min(row + count, tile.Rows); row < end; row++)
        {
            float* c = tile.TargetRow(row);
            Sse.Prefetch0(c + tile.Columns);
            Sse.Prefetch0(c + (2 * tile.Columns) - 1);
        }
    }

    /// <summary>Rows in twelves by two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles12x2(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 12)
        {
            FetchTargets(tile, row, 12);
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
            nint stride = tile.AStride;
            nint stride2 = 2 * stride;
            float* a0 = tile.A + row * stride, a3 = a0 + 3 * stride, a6 = a3 + 3 * stride, a9 = a6 + 3 * stride;
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            for (byte* end = b + tile.Depth * bStride; b < end; b += bStride)
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

            Finish(tile, row, r0v0, r0v1);
            Finish(tile, row + 1, r1v0, r1v1);
            Finish(tile, row + 2, r2v0, r2v1);
            Finish(tile, row + 3, r3v0, r3v1);
            Finish(tile, row + 4, r4v0, r4v1);
            Finish(tile, row + 5, r5v0, r5v1);
            Finish(tile, row + 6, r6v0, r6v1);
            Finish(tile, row + 7, r7v0, r7v1);
            Finish(tile, row + 8, r8v0, r8v1);
            Finish(tile, row + 9, r9v0, r9v1);
            Finish(tile, row + 10, r10v0, r10v1);
            Finish(tile, row + 11, r11v0, r11v1);
        }
    }

    /// <summary>Rows in eights by two vectors. Missing rows repeat the last one and are not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles8x2(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 8)
        {
            FetchTargets(tile, row, 8);
            TVector r0v0 = default, r0v1 = default;
            TVector r1v0 = default, r1v1 = default;
            TVector r2v0 = default, r2v1 = default;
            TVector r3v0 = default, r3v1 = default;
            TVector r4v0 = default, r4v1 = default;
            TVector r5v0 = default, r5v1 = default;
            TVector r6v0 = default, r6v1 = default;
            TVector r7v0 = default, r7v1 = default;
            int last = Math.Min(8, tile.Rows - row) - 1;
            float* a0 = tile.SourceRow(row);
            float* a1 = tile.SourceRow(row + Math.Min(1, last)), a2 = tile.SourceRow(row + Math.Min(2, last));
            float* a3 = tile.SourceRow(row + Math.Min(3, last)), a4 = tile.SourceRow(row + Math.Min(4, last));
            float* a5 = tile.SourceRow(row + Math.Min(5, last)), a6 = tile.SourceRow(row + Math.Min(6, last));
            float* a7 = tile.SourceRow(row + Math.Min(7, last));
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            nint depth = tile.Depth;
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

            Finish(tile, row, r0v0, r0v1);
            if (last >= 1)
            {
                Finish(tile, row + 1, r1v0, r1v1);
            }

            if (last >= 2)
            {
                Finish(tile, row + 2, r2v0, r2v1);
            }

            if (last >= 3)
            {
                Finish(tile, row + 3, r3v0, r3v1);
            }

            if (last >= 4)
            {
                Finish(tile, row + 4, r4v0, r4v1);
            }

            if (last >= 5)
            {
                Finish(tile, row + 5, r5v0, r5v1);
            }

            if (last >= 6)
            {
                Finish(tile, row + 6, r6v0, r6v1);
            }

            if (last >= 7)
            {
                Finish(tile, row + 7, r7v0, r7v1);
            }
        }
    }

    /// <summary>Rows in sixes by two vectors. Missing rows repeat the last one and are not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles6x2(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 6)
        {
            FetchTargets(tile, row, 6);
            TVector r0v0 = default, r0v1 = default;
            TVector r1v0 = default, r1v1 = default;
            TVector r2v0 = default, r2v1 = default;
            TVector r3v0 = default, r3v1 = default;
            TVector r4v0 = default, r4v1 = default;
            TVector r5v0 = default, r5v1 = default;
            int last = Math.Min(6, tile.Rows - row) - 1;
            float* a0 = tile.SourceRow(row);
            float* a1 = tile.SourceRow(row + Math.Min(1, last)), a2 = tile.SourceRow(row + Math.Min(2, last));
            float* a3 = tile.SourceRow(row + Math.Min(3, last)), a4 = tile.SourceRow(row + Math.Min(4, last));
            float* a5 = tile.SourceRow(row + Math.Min(5, last));
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            nint depth = tile.Depth;
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

            Finish(tile, row, r0v0, r0v1);
            if (last >= 1)
            {
                Finish(tile, row + 1, r1v0, r1v1);
            }

            if (last >= 2)
            {
                Finish(tile, row + 2, r2v0, r2v1);
            }

            if (last >= 3)
            {
                Finish(tile, row + 3, r3v0, r3v1);
            }

            if (last >= 4)
            {
                Finish(tile, row + 4, r4v0, r4v1);
            }

            if (last >= 5)
            {
                Finish(tile, row + 5, r5v0, r5v1);
            }
        }
    }

    /// <summary>Rows in fours by two vectors. Missing rows repeat the last one and are not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles4x2(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 4)
        {
            FetchTargets(tile, row, 4);
            TVector r0v0 = default, r0v1 = default;
            TVector r1v0 = default, r1v1 = default;
            TVector r2v0 = default, r2v1 = default;
            TVector r3v0 = default, r3v1 = default;
            int last = Math.Min(4, tile.Rows - row) - 1;
            float* a0 = tile.SourceRow(row);
            float* a1 = tile.SourceRow(row + Math.Min(1, last)), a2 = tile.SourceRow(row + Math.Min(2, last));
            float* a3 = tile.SourceRow(row + Math.Min(3, last));
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            nint depth = tile.Depth;
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

            Finish(tile, row, r0v0, r0v1);
            if (last >= 1)
            {
                Finish(tile, row + 1, r1v0, r1v1);
            }

            if (last >= 2)
            {
                Finish(tile, row + 2, r2v0, r2v1);
            }

            if (last >= 3)
            {
                Finish(tile, row + 3, r3v0, r3v1);
            }
        }
    }

    /// <summary>Rows in twelves by one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles12x1(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 12)
        {
            FetchTargets(tile, row, 12);
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
            nint stride = tile.AStride;
            nint stride2 = 2 * stride;
            float* a0 = tile.A + row * stride, a3 = a0 + 3 * stride, a6 = a3 + 3 * stride, a9 = a6 + 3 * stride;
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            for (byte* end = b + tile.Depth * bStride; b < end; b += bStride)
            {
                FetchB(b);
                TVector b0 = LoadB(b);
                TVector x = TSimd.Broadcast(a0[0]);
                r0v0 = TSimd.MultiplyAdd(x, b0, r0v0);
                x = TSimd.Broadcast(a0[stride]);
                r1v0 = TSimd.MultiplyAdd(x, b0, r1v0);
                x = TSimd.Broadcast(a0[stride2]);
                r2v0 = TSimd.MultiplyAdd(x, b0, r2v0);
                x = TSimd.Broadcast(a3[0]);
                r3v0 = TSimd.MultiplyAdd(x, b0, r3v0);
                x = TSimd.Broadcast(a3[stride]);
                r4v0 = TSimd.MultiplyAdd(x, b0, r4v0);
                x = TSimd.Broadcast(a3[stride2]);
                r5v0 = TSimd.MultiplyAdd(x, b0, r5v0);
                x = TSimd.Broadcast(a6[0]);
                r6v0 = TSimd.MultiplyAdd(x, b0, r6v0);
                x = TSimd.Broadcast(a6[stride]);
                r7v0 = TSimd.MultiplyAdd(x, b0, r7v0);
                x = TSimd.Broadcast(a6[stride2]);
                r8v0 = TSimd.MultiplyAdd(x, b0, r8v0);
                x = TSimd.Broadcast(a9[0]);
                r9v0 = TSimd.MultiplyAdd(x, b0, r9v0);
                x = TSimd.Broadcast(a9[stride]);
                r10v0 = TSimd.MultiplyAdd(x, b0, r10v0);
                x = TSimd.Broadcast(a9[stride2]);
                r11v0 = TSimd.MultiplyAdd(x, b0, r11v0);
                a0++;
                a3++;
                a6++;
                a9++;
            }

            Finish(tile, row, r0v0);
            Finish(tile, row + 1, r1v0);
            Finish(tile, row + 2, r2v0);
            Finish(tile, row + 3, r3v0);
            Finish(tile, row + 4, r4v0);
            Finish(tile, row + 5, r5v0);
            Finish(tile, row + 6, r6v0);
            Finish(tile, row + 7, r7v0);
            Finish(tile, row + 8, r8v0);
            Finish(tile, row + 9, r9v0);
            Finish(tile, row + 10, r10v0);
            Finish(tile, row + 11, r11v0);
        }
    }

    /// <summary>Rows in eights by one vector. Missing rows repeat the last one and are not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles8x1(in GemmTile tile)
    {
        for (int row = 0; row < tile.Rows; row += 8)
        {
            FetchTargets(tile, row, 8);
            TVector r0v0 = default;
            TVector r1v0 = default;
            TVector r2v0 = default;
            TVector r3v0 = default;
            TVector r4v0 = default;
            TVector r5v0 = default;
            TVector r6v0 = default;
            TVector r7v0 = default;
            int last = Math.Min(8, tile.Rows - row) - 1;
            float* a0 = tile.SourceRow(row);
            float* a1 = tile.SourceRow(row + Math.Min(1, last)), a2 = tile.SourceRow(row + Math.Min(2, last));
            float* a3 = tile.SourceRow(row + Math.Min(3, last)), a4 = tile.SourceRow(row + Math.Min(4, last));
            float* a5 = tile.SourceRow(row + Math.Min(5, last)), a6 = tile.SourceRow(row + Math.Min(6, last));
            float* a7 = tile.SourceRow(row + Math.Min(7, last));
            byte* b = tile.B;
            nint bStride = tile.BStride * TFormat.Bytes;
            nint depth = tile.Depth;
            for (nint k = 0; k < depth; k++, b += bStride)
            {
                FetchB(b);
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

            Finish(tile, row, r0v0);
            if (last >= 1)
            {
                Finish(tile, row + 1, r1v0);
            }

            if (last >= 2)
            {
                Finish(tile, row + 2, r2v0);
            }

            if (last >= 3)
            {
                Finish(tile, row + 3, r3v0);
            }

            if (last >= 4)
            {
                Finish(tile, row + 4, r4v0);
            }

            if (last >= 5)
            {
                Finish(tile, row + 5, r5v0);
            }

            if (last >= 6)
            {
                Finish(tile, row + 6, r6v0);
            }

            if (last >= 7)
            {
                Finish(tile, row + 7, r7v0);
            }
        }
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
