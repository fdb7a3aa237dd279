using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The inner loops of products of matrices that lie in panels (<see cref="PanelLayout"/>). Written out by hand because the
/// registers of an array or a loop variable would live in memory. Every sum is one chain of fused multiply-adds, whatever the vector's width.
/// </summary>
/// <typeparam name="TSimd">The vector operations.</typeparam>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TElement">float or double.</typeparam>
internal static unsafe class PanelKernels<TSimd, TVector, TElement>
    where TSimd : struct, IVectorOperations<TVector, TElement>
    where TVector : struct
    where TElement : unmanaged
{
    private const int Width = PanelLayout.Width;

    // Three passes over a block ask for the rows of the next, each for a good third of them, so that memory is busy all the time.
    private const int RowsAhead = 4 * PanelLayout.RowUnit;
    private const int FetchStep = (Width / 3) + 1;

    /// <summary>C += X^T Z.</summary>
    /// <param name="x">A panel X.</param>
    /// <param name="z">A panel Z.</param>
    /// <param name="rows">The rows of both.</param>
    /// <param name="c">C [16, 16].</param>
    public static void AddInnerProducts(TElement* x, TElement* z, nint rows, TElement* c)
    {
        TElement* ahead = x + (RowsAhead * Width);
        if (TSimd.Lanes == Width)
        {
            InnerProducts16x1(x, z, rows, c, ahead);
            return;
        }

        for (int column = 0; column < Width; column += 2 * TSimd.Lanes)
        {
            InnerProducts6x2(x, z + column, rows, c + column, ahead);
            InnerProducts5x2(x + 6, z + column, rows, c + (6 * Width) + column, ahead + (rows * FetchStep));
            InnerProducts5x2(x + 11, z + column, rows, c + (11 * Width) + column, ahead + (2 * rows * FetchStep));
        }
    }

    /// <summary>Y += X C.</summary>
    /// <param name="y">A panel Y.</param>
    /// <param name="x">X: some panels.</param>
    /// <param name="panelStride">The elements from one panel of X to the next.</param>
    /// <param name="panels">The panels of X.</param>
    /// <param name="c">A panel C, with as many rows as X has columns.</param>
    /// <param name="rows">The rows of X and Y, a multiple of <see cref="PanelLayout.RowUnit"/>.</param>
    public static void AddProducts(TElement* y, TElement* x, nint panelStride, int panels, TElement* c, nint rows)
    {
        if (TSimd.Lanes == Width)
        {
            AddProducts12x1(y, x, panelStride, panels, c, rows);
            return;
        }

        for (int column = 0; column < Width; column += 2 * TSimd.Lanes)
        {
            AddProducts6x2(y + column, x, panelStride, panels, c + column, rows);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void InnerProducts6x2(TElement* x, TElement* z, nint rows, TElement* c, TElement* ahead)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        TVector r4v0 = default, r4v1 = default;
        TVector r5v0 = default, r5v1 = default;
        for (TElement* end = z + (rows * Width); z < end; z += Width, x += Width)
        {
            Fetch(ref ahead, FetchStep);
            TVector z0 = TSimd.Load(z);
            TVector z1 = TSimd.Load(z + TSimd.Lanes);
            TVector a = TSimd.Broadcast(x[0]);
            r0v0 = TSimd.MultiplyAdd(a, z0, r0v0);
            r0v1 = TSimd.MultiplyAdd(a, z1, r0v1);
            a = TSimd.Broadcast(x[1]);
            r1v0 = TSimd.MultiplyAdd(a, z0, r1v0);
            r1v1 = TSimd.MultiplyAdd(a, z1, r1v1);
            a = TSimd.Broadcast(x[2]);
            r2v0 = TSimd.MultiplyAdd(a, z0, r2v0);
            r2v1 = TSimd.MultiplyAdd(a, z1, r2v1);
            a = TSimd.Broadcast(x[3]);
            r3v0 = TSimd.MultiplyAdd(a, z0, r3v0);
            r3v1 = TSimd.MultiplyAdd(a, z1, r3v1);
            a = TSimd.Broadcast(x[4]);
            r4v0 = TSimd.MultiplyAdd(a, z0, r4v0);
            r4v1 = TSimd.MultiplyAdd(a, z1, r4v1);
            a = TSimd.Broadcast(x[5]);
            r5v0 = TSimd.MultiplyAdd(a, z0, r5v0);
            r5v1 = TSimd.MultiplyAdd(a, z1, r5v1);
        }

        Add(c, r0v0, r0v1);
        Add(c + Width, r1v0, r1v1);
        Add(c + (2 * Width), r2v0, r2v1);
        Add(c + (3 * Width), r3v0, r3v1);
        Add(c + (4 * Width), r4v0, r4v1);
        Add(c + (5 * Width), r5v0, r5v1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void InnerProducts5x2(TElement* x, TElement* z, nint rows, TElement* c, TElement* ahead)
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        TVector r4v0 = default, r4v1 = default;
        for (TElement* end = z + (rows * Width); z < end; z += Width, x += Width)
        {
            Fetch(ref ahead, FetchStep);
            TVector z0 = TSimd.Load(z);
            TVector z1 = TSimd.Load(z + TSimd.Lanes);
            TVector a = TSimd.Broadcast(x[0]);
            r0v0 = TSimd.MultiplyAdd(a, z0, r0v0);
            r0v1 = TSimd.MultiplyAdd(a, z1, r0v1);
            a = TSimd.Broadcast(x[1]);
            r1v0 = TSimd.MultiplyAdd(a, z0, r1v0);
            r1v1 = TSimd.MultiplyAdd(a, z1, r1v1);
            a = TSimd.Broadcast(x[2]);
            r2v0 = TSimd.MultiplyAdd(a, z0, r2v0);
            r2v1 = TSimd.MultiplyAdd(a, z1, r2v1);
            a = TSimd.Broadcast(x[3]);
            r3v0 = TSimd.MultiplyAdd(a, z0, r3v0);
            r3v1 = TSimd.MultiplyAdd(a, z1, r3v1);
            a = TSimd.Broadcast(x[4]);
            r4v0 = TSimd.MultiplyAdd(a, z0, r4v0);
            r4v1 = TSimd.MultiplyAdd(a, z1, r4v1);
        }

        Add(c, r0v0, r0v1);
        Add(c + Width, r1v0, r1v1);
        Add(c + (2 * Width), r2v0, r2v1);
        Add(c + (3 * Width), r3v0, r3v1);
        Add(c + (4 * Width), r4v0, r4v1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void InnerProducts16x1(TElement* x, TElement* z, nint rows, TElement* c, TElement* ahead)
    {
        TVector r0 = default, r1 = default, r2 = default, r3 = default;
        TVector r4 = default, r5 = default, r6 = default, r7 = default;
        TVector r8 = default, r9 = default, r10 = default, r11 = default;
        TVector r12 = default, r13 = default, r14 = default, r15 = default;
        for (TElement* end = z + (rows * Width); z < end; z += Width, x += Width)
        {
            Fetch(ref ahead, Width);
            TVector b = TSimd.Load(z);
            r0 = TSimd.MultiplyAdd(TSimd.Broadcast(x[0]), b, r0);
            r1 = TSimd.MultiplyAdd(TSimd.Broadcast(x[1]), b, r1);
            r2 = TSimd.MultiplyAdd(TSimd.Broadcast(x[2]), b, r2);
            r3 = TSimd.MultiplyAdd(TSimd.Broadcast(x[3]), b, r3);
            r4 = TSimd.MultiplyAdd(TSimd.Broadcast(x[4]), b, r4);
            r5 = TSimd.MultiplyAdd(TSimd.Broadcast(x[5]), b, r5);
            r6 = TSimd.MultiplyAdd(TSimd.Broadcast(x[6]), b, r6);
            r7 = TSimd.MultiplyAdd(TSimd.Broadcast(x[7]), b, r7);
            r8 = TSimd.MultiplyAdd(TSimd.Broadcast(x[8]), b, r8);
            r9 = TSimd.MultiplyAdd(TSimd.Broadcast(x[9]), b, r9);
            r10 = TSimd.MultiplyAdd(TSimd.Broadcast(x[10]), b, r10);
            r11 = TSimd.MultiplyAdd(TSimd.Broadcast(x[11]), b, r11);
            r12 = TSimd.MultiplyAdd(TSimd.Broadcast(x[12]), b, r12);
            r13 = TSimd.MultiplyAdd(TSimd.Broadcast(x[13]), b, r13);
            r14 = TSimd.MultiplyAdd(TSimd.Broadcast(x[14]), b, r14);
            r15 = TSimd.MultiplyAdd(TSimd.Broadcast(x[15]), b, r15);
        }

        Add(c, r0);
        Add(c + Width, r1);
        Add(c + (2 * Width), r2);
        Add(c + (3 * Width), r3);
        Add(c + (4 * Width), r4);
        Add(c + (5 * Width), r5);
        Add(c + (6 * Width), r6);
        Add(c + (7 * Width), r7);
        Add(c + (8 * Width), r8);
        Add(c + (9 * Width), r9);
        Add(c + (10 * Width), r10);
        Add(c + (11 * Width), r11);
        Add(c + (12 * Width), r12);
        Add(c + (13 * Width), r13);
        Add(c + (14 * Width), r14);
        Add(c + (15 * Width), r15);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts6x2(TElement* y, TElement* x, nint panelStride, int panels, TElement* c, nint rows)
    {
        for (TElement* end = y + (rows * Width); y < end; y += 6 * Width, x += 6 * Width)
        {
            TVector r0v0 = default, r0v1 = default;
            TVector r1v0 = default, r1v1 = default;
            TVector r2v0 = default, r2v1 = default;
            TVector r3v0 = default, r3v1 = default;
            TVector r4v0 = default, r4v1 = default;
            TVector r5v0 = default, r5v1 = default;
            TElement* start = x;
            TElement* b = c;
            for (int panel = 0; panel < panels; panel++, start += panelStride)
            {
                for (TElement* a = start; a < start + Width; a++, b += Width)
                {
                    TVector b0 = TSimd.Load(b);
                    TVector b1 = TSimd.Load(b + TSimd.Lanes);
                    TVector v = TSimd.Broadcast(a[0]);
                    r0v0 = TSimd.MultiplyAdd(v, b0, r0v0);
                    r0v1 = TSimd.MultiplyAdd(v, b1, r0v1);
                    v = TSimd.Broadcast(a[Width]);
                    r1v0 = TSimd.MultiplyAdd(v, b0, r1v0);
                    r1v1 = TSimd.MultiplyAdd(v, b1, r1v1);
                    v = TSimd.Broadcast(a[2 * Width]);
                    r2v0 = TSimd.MultiplyAdd(v, b0, r2v0);
                    r2v1 = TSimd.MultiplyAdd(v, b1, r2v1);
                    v = TSimd.Broadcast(a[3 * Width]);
                    r3v0 = TSimd.MultiplyAdd(v, b0, r3v0);
                    r3v1 = TSimd.MultiplyAdd(v, b1, r3v1);
                    v = TSimd.Broadcast(a[4 * Width]);
                    r4v0 = TSimd.MultiplyAdd(v, b0, r4v0);
                    r4v1 = TSimd.MultiplyAdd(v, b1, r4v1);
                    v = TSimd.Broadcast(a[5 * Width]);
                    r5v0 = TSimd.MultiplyAdd(v, b0, r5v0);
                    r5v1 = TSimd.MultiplyAdd(v, b1, r5v1);
                }
            }

            Add(y, r0v0, r0v1);
            Add(y + Width, r1v0, r1v1);
            Add(y + (2 * Width), r2v0, r2v1);
            Add(y + (3 * Width), r3v0, r3v1);
            Add(y + (4 * Width), r4v0, r4v1);
            Add(y + (5 * Width), r5v0, r5v1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts12x1(TElement* y, TElement* x, nint panelStride, int panels, TElement* c, nint rows)
    {
        for (TElement* end = y + (rows * Width); y < end; y += 12 * Width, x += 12 * Width)
        {
            TVector r0 = default, r1 = default, r2 = default, r3 = default;
            TVector r4 = default, r5 = default, r6 = default, r7 = default;
            TVector r8 = default, r9 = default, r10 = default, r11 = default;
            TElement* start = x;
            TElement* b = c;
            for (int panel = 0; panel < panels; panel++, start += panelStride)
            {
                for (TElement* a = start; a < start + Width; a++, b += Width)
                {
                    TVector b0 = TSimd.Load(b);
                    r0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), b0, r0);
                    r1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[Width]), b0, r1);
                    r2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * Width]), b0, r2);
                    r3 = TSimd.MultiplyAdd(TSimd.Broadcast(a[3 * Width]), b0, r3);
                    r4 = TSimd.MultiplyAdd(TSimd.Broadcast(a[4 * Width]), b0, r4);
                    r5 = TSimd.MultiplyAdd(TSimd.Broadcast(a[5 * Width]), b0, r5);
                    r6 = TSimd.MultiplyAdd(TSimd.Broadcast(a[6 * Width]), b0, r6);
                    r7 = TSimd.MultiplyAdd(TSimd.Broadcast(a[7 * Width]), b0, r7);
                    r8 = TSimd.MultiplyAdd(TSimd.Broadcast(a[8 * Width]), b0, r8);
                    r9 = TSimd.MultiplyAdd(TSimd.Broadcast(a[9 * Width]), b0, r9);
                    r10 = TSimd.MultiplyAdd(TSimd.Broadcast(a[10 * Width]), b0, r10);
                    r11 = TSimd.MultiplyAdd(TSimd.Broadcast(a[11 * Width]), b0, r11);
                }
            }

            Add(y, r0);
            Add(y + Width, r1);
            Add(y + (2 * Width), r2);
            Add(y + (3 * Width), r3);
            Add(y + (4 * Width), r4);
            Add(y + (5 * Width), r5);
            Add(y + (6 * Width), r6);
            Add(y + (7 * Width), r7);
            Add(y + (8 * Width), r8);
            Add(y + (9 * Width), r9);
            Add(y + (10 * Width), r10);
            Add(y + (11 * Width), r11);
        }
    }

    /// <summary>Asks for what comes a block of rows later, a little at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(ref TElement* ahead, nint step)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(ahead);
            ahead += step;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(TElement* sums, TVector v) => TSimd.Store(TSimd.Add(TSimd.Load(sums), v), sums);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(TElement* sums, TVector v0, TVector v1)
    {
        Add(sums, v0);
        Add(sums + TSimd.Lanes, v1);
    }
}
