using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>Inner products of float32 rows, summed in float64.</summary>
internal static unsafe class GramMatrix
{
    private const int Lanes = 8;

    // Columns widened at a time: two sets of four rows of them fit the first-level cache.
    private const int ChunkColumns = 256;

    private const int TileRows = 4;

    /// <summary>Computes the inner products of the rows with each other.</summary>
    /// <param name="rows">The rows.</param>
    /// <returns>A symmetric matrix, as rows.</returns>
    public static double[][] Compute(MatrixView rows) => Compute(rows, 0);

    /// <summary>Computes the inner products of the last rows with all rows up to themselves.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="start">The first row whose products are wanted.</param>
    /// <returns>Row i: the products of row start + i with all rows.</returns>
    public static double[][] Compute(MatrixView rows, int start)
    {
        int count = rows.Rows;
        var products = new double[count - start][];
        for (int i = 0; i < products.Length; i++)
        {
            products[i] = new double[count];
        }

        int padded = (count + TileRows - 1) / TileRows * TileRows;
        using var buffer = new NativeBuffer(2L * (padded + TileRows) * ChunkColumns);
        double* wide = (double*)buffer.Pointer;
        double* tile = stackalloc double[TileRows * TileRows];
        for (int chunk = 0; chunk < rows.Columns; chunk += ChunkColumns)
        {
            int columns = Math.Min(ChunkColumns, rows.Columns - chunk);
            int width = (columns + Lanes - 1) / Lanes * Lanes;
            for (int i = 0; i < padded + TileRows; i++)
            {
                var row = new Span<double>(wide + (long)i * ChunkColumns, width);
                row.Clear();
                if (i < count)
                {
                    VectorMath.Widen(rows.Row(i).Slice(chunk, columns), row);
                }
            }

            for (int i = start; i < count; i += TileRows)
            {
                for (int j = 0; j < Math.Min(count, i + TileRows); j += TileRows)
                {
                    MultiplyTile(wide + (long)i * ChunkColumns, wide + (long)j * ChunkColumns, width, tile);
                    AddTile(tile, products, i - start, j, count);
                }
            }
        }

        Mirror(products, start);
        return products;
    }

    private static void AddTile(double* tile, double[][] products, int row, int column, int columns)
    {
        for (int i = row; i < Math.Min(products.Length, row + TileRows); i++, tile += TileRows)
        {
            for (int j = column; j < Math.Min(columns, column + TileRows); j++)
            {
                products[i][j] += tile[j - column];
            }
        }
    }

    /// <summary>Copies the lower triangle to the upper one.</summary>
    private static void Mirror(double[][] products, int start)
    {
        for (int i = 0; i < products.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                products[j][start + i] = products[i][start + j];
            }
        }
    }

    /// <summary>The products of four rows with four.</summary>
    private static void MultiplyTile(double* a, double* b, int width, double* tile)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Multiply4x4(a, b, width, tile);
            return;
        }

        // Narrower registers hold the sums of two rows by two.
        for (int row = 0; row < TileRows; row += 2)
        {
            for (int column = 0; column < TileRows; column += 2)
            {
                Multiply2x2(a + row * ChunkColumns, b + column * ChunkColumns, width, tile + row * TileRows + column);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply2x2(double* a, double* b, int width, double* tile)
    {
        Vector512<double> s00 = default, s01 = default, s10 = default, s11 = default;
        for (double* end = a + width; a < end; a += Lanes, b += Lanes)
        {
            Vector512<double> b0 = Vector512.Load(b);
            Vector512<double> b1 = Vector512.Load(b + ChunkColumns);
            Vector512<double> x = Vector512.Load(a);
            s00 = Vector512.FusedMultiplyAdd(x, b0, s00);
            s01 = Vector512.FusedMultiplyAdd(x, b1, s01);
            x = Vector512.Load(a + ChunkColumns);
            s10 = Vector512.FusedMultiplyAdd(x, b0, s10);
            s11 = Vector512.FusedMultiplyAdd(x, b1, s11);
        }

        tile[0] = VectorMath.SumLanes(s00);
        tile[1] = VectorMath.SumLanes(s01);
        tile[TileRows] = VectorMath.SumLanes(s10);
        tile[TileRows + 1] = VectorMath.SumLanes(s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x4(double* a, double* b, int width, double* tile)
    {
        Vector512<double> s00 = default, s01 = default, s02 = default, s03 = default;
        Vector512<double> s10 = default, s11 = default, s12 = default, s13 = default;
        Vector512<double> s20 = default, s21 = default, s22 = default, s23 = default;
        Vector512<double> s30 = default, s31 = default, s32 = default, s33 = default;
        for (double* end = a + width; a < end; a += Lanes, b += Lanes)
        {
            Vector512<double> b0 = Vector512.Load(b);
            Vector512<double> b1 = Vector512.Load(b + ChunkColumns);
            Vector512<double> b2 = Vector512.Load(b + 2 * ChunkColumns);
            Vector512<double> b3 = Vector512.Load(b + 3 * ChunkColumns);
            Vector512<double> x = Vector512.Load(a);
            s00 = Vector512.FusedMultiplyAdd(x, b0, s00);
            s01 = Vector512.FusedMultiplyAdd(x, b1, s01);
            s02 = Vector512.FusedMultiplyAdd(x, b2, s02);
            s03 = Vector512.FusedMultiplyAdd(x, b3, s03);
            x = Vector512.Load(a + ChunkColumns);
            s10 = Vector512.FusedMultiplyAdd(x, b0, s10);
            s11 = Vector512.FusedMultiplyAdd(x, b1, s11);
            s12 = Vector512.FusedMultiplyAdd(x, b2, s12);
            s13 = Vector512.FusedMultiplyAdd(x, b3, s13);
            x = Vector512.Load(a + 2 * ChunkColumns);
            s20 = Vector512.FusedMultiplyAdd(x, b0, s20);
            s21 = Vector512.FusedMultiplyAdd(x, b1, s21);
            s22 = Vector512.FusedMultiplyAdd(x, b2, s22);
            s23 = Vector512.FusedMultiplyAdd(x, b3, s23);
            x = Vector512.Load(a + 3 * ChunkColumns);
            s30 = Vector512.FusedMultiplyAdd(x, b0, s30);
            s31 = Vector512.FusedMultiplyAdd(x, b1, s31);
            s32 = Vector512.FusedMultiplyAdd(x, b2, s32);
            s33 = Vector512.FusedMultiplyAdd(x, b3, s33);
        }

        Sum(s00, s01, s02, s03, tile);
        Sum(s10, s11, s12, s13, tile + TileRows);
        Sum(s20, s21, s22, s23, tile + 2 * TileRows);
        Sum(s30, s31, s32, s33, tile + 3 * TileRows);
    }

    private static void Sum(
        in Vector512<double> s0, in Vector512<double> s1, in Vector512<double> s2, in Vector512<double> s3, double* destination)
    {
        destination[0] = VectorMath.SumLanes(s0);
        destination[1] = VectorMath.SumLanes(s1);
        destination[2] = VectorMath.SumLanes(s2);
        destination[3] = VectorMath.SumLanes(s3);
    }
}
