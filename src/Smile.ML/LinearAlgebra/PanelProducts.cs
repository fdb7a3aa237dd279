using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Float32 products of matrices in panels, one of them narrow. Every element is the sum, in order, of chains of fused multiply-adds over
/// <see cref="InnerBlock"/> rows or <see cref="DepthPanels"/> panels: the same bits for any number of threads and any vector width.
/// </summary>
internal static unsafe class PanelProducts
{
    // Of two panels so many rows stay in the first-level cache while all tiles of their product are summed.
    private const int InnerBlock = 4 * PanelLayout.RowUnit;

    // As many panels as a row of tiles can be read from side by side; their part of C stays in the first-level cache.
    private const int DepthPanels = 8;

    // So many rows of that many panels, and of the sums, stay in the second-level cache.
    private const int MostRows = 16 * PanelLayout.RowUnit;

    private const int PanelsPerPiece = 4;

    // Below this many multiplications, some ten microseconds, a fork-join costs more than it brings.
    private const long ParallelThreshold = 1_000_000;

    /// <summary>Computes X^T Z.</summary>
    /// <param name="x">X [m, p].</param>
    /// <param name="z">Z [m, q].</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>[p, q].</returns>
    public static PanelMatrix InnerProducts(PanelMatrix x, PanelMatrix z, WorkerPool pool)
        => InnerProducts(x, z, pool, Gemm.PreferredVectorBits);

    /// <summary>Adds a product: Y += X C.</summary>
    /// <param name="y">Y [m, q].</param>
    /// <param name="x">X [m, p].</param>
    /// <param name="c">C [p, q].</param>
    /// <param name="pool">The threads to use.</param>
    public static void Add(PanelMatrix y, PanelMatrix x, PanelMatrix c, WorkerPool pool) => Add(y, x, c, pool, Gemm.PreferredVectorBits);

    /// <summary>Computes X C.</summary>
    /// <param name="x">X [m, p].</param>
    /// <param name="c">C [p, q].</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>[m, q].</returns>
    public static PanelMatrix Multiply(PanelMatrix x, PanelMatrix c, WorkerPool pool)
    {
        var product = new PanelMatrix(x.Rows, c.Columns);
        Add(product, x, c, pool);
        return product;
    }

    /// <summary>As the other overload, with a vector width to use. The result does not depend on it.</summary>
    /// <param name="x">X [m, p].</param>
    /// <param name="z">Z [m, q].</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="vectorBits">512, 256 or 128.</param>
    /// <returns>[p, q].</returns>
    internal static PanelMatrix InnerProducts(PanelMatrix x, PanelMatrix z, WorkerPool pool, int vectorBits)
    {
        RequireEqual(x.Rows, z.Rows, nameof(z));
        var products = new PanelMatrix(x.Columns, z.Columns);
        int pieces = (x.PanelCount + PanelsPerPiece - 1) / PanelsPerPiece;
        long multiplications = (long)x.Rows * x.Columns * z.Columns;
        switch (vectorBits)
        {
            case 512:
                var work512 = new InnerWork<Simd512, Vector512<float>>(x, z, products);
                Run(pool, pieces, multiplications, ref work512);
                break;
            case 256:
                var work256 = new InnerWork<Simd256, Vector256<float>>(x, z, products);
                Run(pool, pieces, multiplications, ref work256);
                break;
            default:
                var work128 = new InnerWork<Simd128, Vector128<float>>(x, z, products);
                Run(pool, pieces, multiplications, ref work128);
                break;
        }

        return products;
    }

    /// <summary>As the other overload, with a vector width to use. The result does not depend on it.</summary>
    /// <param name="y">Y [m, q].</param>
    /// <param name="x">X [m, p].</param>
    /// <param name="c">C [p, q].</param>
    /// <param name="pool">The threads to use.</param>
    /// <param name="vectorBits">512, 256 or 128.</param>
    internal static void Add(PanelMatrix y, PanelMatrix x, PanelMatrix c, WorkerPool pool, int vectorBits)
    {
        RequireEqual(x.Rows, y.Rows, nameof(y));
        RequireEqual(x.Columns, c.Rows, nameof(c));
        RequireEqual(y.Columns, c.Columns, nameof(c));
        int rows = Math.Min(MostRows, PanelLayout.PaddedRows((x.PaddedRows / (2 * pool.Threads)) + 1));
        int pieces = (x.PaddedRows + rows - 1) / rows;
        long multiplications = (long)x.Rows * x.Columns * c.Columns;
        switch (vectorBits)
        {
            case 512:
                var work512 = new AddWork<Simd512, Vector512<float>>(y, x, c, rows);
                Run(pool, pieces, multiplications, ref work512);
                break;
            case 256:
                var work256 = new AddWork<Simd256, Vector256<float>>(y, x, c, rows);
                Run(pool, pieces, multiplications, ref work256);
                break;
            default:
                var work128 = new AddWork<Simd128, Vector128<float>>(y, x, c, rows);
                Run(pool, pieces, multiplications, ref work128);
                break;
        }
    }

    private static void RequireEqual(int expected, int found, string name)
    {
        if (found != expected)
        {
            throw new ArgumentException($"Expected {expected} rows or columns to go with the others; found {found}.", name);
        }
    }

    private static void Run<TWork>(WorkerPool pool, int pieces, long multiplications, ref TWork work)
        where TWork : struct, IParallelWork
    {
        if (multiplications >= ParallelThreshold)
        {
            pool.For(pieces, ref work);
            return;
        }

        for (int i = 0; i < pieces; i++)
        {
            work.Execute(i);
        }
    }

    /// <summary>The products of a few panels of X with all of Z.</summary>
    private readonly struct InnerWork<TSimd, TVector>(PanelMatrix x, PanelMatrix z, PanelMatrix products) : IParallelWork
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        public void Execute(int index)
        {
            int end = Math.Min((index + 1) * PanelsPerPiece, x.PanelCount);
            for (int panel = index * PanelsPerPiece; panel < end; panel++)
            {
                for (int row = 0; row < x.PaddedRows; row += InnerBlock)
                {
                    int rows = Math.Min(InnerBlock, x.PaddedRows - row);
                    nint offset = (nint)row * PanelLayout.Width;
                    for (int other = 0; other < z.PanelCount; other++)
                    {
                        PanelKernels<TSimd, TVector, float>.AddInnerProducts(
                            x.Panel(panel) + offset, z.Panel(other) + offset, rows, products.Panel(other) + (panel * PanelLayout.Tile));
                    }
                }
            }
        }
    }

    /// <summary>Some rows of the sums.</summary>
    private readonly struct AddWork<TSimd, TVector>(PanelMatrix y, PanelMatrix x, PanelMatrix c, int rowsPerPiece) : IParallelWork
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        public void Execute(int index)
        {
            int row = index * rowsPerPiece;
            int rows = Math.Min(rowsPerPiece, x.PaddedRows - row);
            nint offset = (nint)row * PanelLayout.Width;
            for (int panel = 0; panel < x.PanelCount; panel += DepthPanels)
            {
                int panels = Math.Min(DepthPanels, x.PanelCount - panel);
                for (int other = 0; other < y.PanelCount; other++)
                {
                    PanelKernels<TSimd, TVector, float>.AddProducts(
                        y.Panel(other) + offset, x.Panel(panel) + offset, x.PanelStride, panels, c.Panel(other) + (panel * PanelLayout.Tile), rows);
                }
            }
        }
    }
}
