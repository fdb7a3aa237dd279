using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>Inner products of float32 columns, summed in float64.</summary>
internal static unsafe class GramMatrix
{
    // Rows widened at a time: two panels' stay in the first-level cache.
    private const int BlockRows = 2 * PanelLayout.RowUnit;

    /// <summary>Computes the inner products of the columns with each other.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    /// <returns>A symmetric matrix, as rows.</returns>
    public static double[][] Compute(PanelMatrix matrix, CancellationToken cancellationToken = default) => Compute(matrix, 0, cancellationToken);

    /// <summary>Computes the inner products of the last columns with all.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="start">The first column whose products are wanted.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    /// <returns>Row i: the products of column start + i with all columns.</returns>
    public static double[][] Compute(PanelMatrix matrix, int start, CancellationToken cancellationToken = default)
        => Compute(matrix, start, Gemm.PreferredVectorBits, cancellationToken);

    /// <summary>As the other overload, with a vector width to use. The result does not depend on it.</summary>
    /// <param name="matrix">The matrix.</param>
    /// <param name="start">The first column whose products are wanted.</param>
    /// <param name="vectorBits">512, 256 or 128.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    /// <returns>Row i: the products of column start + i with all columns.</returns>
    internal static double[][] Compute(PanelMatrix matrix, int start, int vectorBits, CancellationToken cancellationToken = default) => vectorBits switch
    {
        512 => Compute<DoubleVectors.Of512, Vector512<double>>(matrix, start, cancellationToken),
        256 => Compute<DoubleVectors.Of256, Vector256<double>>(matrix, start, cancellationToken),
        _ => Compute<DoubleVectors.Of128, Vector128<double>>(matrix, start, cancellationToken),
    };

    private static double[][] Compute<TSimd, TVector>(PanelMatrix matrix, int start, CancellationToken cancellationToken)
        where TSimd : struct, IVectorOperations<TVector, double>
        where TVector : struct
    {
        int panels = matrix.PanelCount;
        int firstPanel = start / PanelLayout.Width;
        long tileCount = (long)(panels - firstPanel) * panels;
        using var tileBuffer = new NativeBuffer(2 * tileCount * PanelLayout.Tile);
        using var wideBuffer = new NativeBuffer(2L * panels * BlockRows * PanelLayout.Width);
        double* tiles = (double*)tileBuffer.Pointer;
        double* wide = (double*)wideBuffer.Pointer;
        new Span<double>(tiles, checked((int)(tileCount * PanelLayout.Tile))).Clear();
        for (int row = 0; row < matrix.PaddedRows; row += BlockRows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int rows = Math.Min(BlockRows, matrix.PaddedRows - row);
            int length = rows * PanelLayout.Width;
            for (int panel = 0; panel < panels; panel++)
            {
                VectorAlgebra.Widen(
                    new ReadOnlySpan<float>(matrix.Panel(panel) + ((nint)row * PanelLayout.Width), length),
                    new Span<double>(wide + ((nint)panel * BlockRows * PanelLayout.Width), length));
            }

            double* tile = tiles;
            for (int i = firstPanel; i < panels; i++)
            {
                for (int j = 0; j <= i; j++, tile += PanelLayout.Tile)
                {
                    PanelKernels<TSimd, TVector, double>.AddInnerProducts(
                        wide + ((nint)i * BlockRows * PanelLayout.Width), wide + ((nint)j * BlockRows * PanelLayout.Width), rows, tile);
                }
            }
        }

        return Products(tiles, matrix.Columns, start);
    }

    /// <summary>Reads the wanted rows from tiles of the lower triangle.</summary>
    private static double[][] Products(double* tiles, int columns, int start)
    {
        var products = new double[columns - start][];
        for (int i = 0; i < products.Length; i++)
        {
            products[i] = new double[columns];
        }

        for (int i = start / PanelLayout.Width; i < PanelLayout.Panels(columns); i++)
        {
            for (int j = 0; j <= i; j++, tiles += PanelLayout.Tile)
            {
                AddTile(tiles, i * PanelLayout.Width, j * PanelLayout.Width, products, columns, start);
            }
        }

        return products;
    }

    private static void AddTile(double* tile, int row, int column, double[][] products, int columns, int start)
    {
        for (int i = row; i < Math.Min(columns, row + PanelLayout.Width); i++)
        {
            for (int j = column; j < Math.Min(columns, column + PanelLayout.Width); j++)
            {
                double product = tile[((i - row) * PanelLayout.Width) + j - column];
                if (i >= start)
                {
                    products[i - start][j] = product;
                }

                if (j >= start)
                {
                    products[j - start][i] = product;
                }
            }
        }
    }
}
