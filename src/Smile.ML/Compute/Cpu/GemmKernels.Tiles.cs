using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Smile.ML.Compute.Cpu;

/// <content>
/// The tiles, written out by hand because the registers of an array or a loop variable would live in memory; so would all sums if a branch
/// or a call shared a method with them.
/// </content>
internal static unsafe partial class GemmKernels<TSimd, TVector, TFormat>
{
    // Some sixty rows of a panel: several hundred cycles.
    private const int FetchAhead = 8192;

    /// <summary>Twelve rows by two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply12x2<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
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
        byte* b = panel.B + column * TFormat.Bytes;
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

        Put<TEnd>(panel, row + 0, column, r0v0, r0v1, sums);
        Put<TEnd>(panel, row + 1, column, r1v0, r1v1, sums + 2 * TSimd.Lanes);
        Put<TEnd>(panel, row + 2, column, r2v0, r2v1, sums + 4 * TSimd.Lanes);
        Put<TEnd>(panel, row + 3, column, r3v0, r3v1, sums + 6 * TSimd.Lanes);
        Put<TEnd>(panel, row + 4, column, r4v0, r4v1, sums + 8 * TSimd.Lanes);
        Put<TEnd>(panel, row + 5, column, r5v0, r5v1, sums + 10 * TSimd.Lanes);
        Put<TEnd>(panel, row + 6, column, r6v0, r6v1, sums + 12 * TSimd.Lanes);
        Put<TEnd>(panel, row + 7, column, r7v0, r7v1, sums + 14 * TSimd.Lanes);
        Put<TEnd>(panel, row + 8, column, r8v0, r8v1, sums + 16 * TSimd.Lanes);
        Put<TEnd>(panel, row + 9, column, r9v0, r9v1, sums + 18 * TSimd.Lanes);
        Put<TEnd>(panel, row + 10, column, r10v0, r10v1, sums + 20 * TSimd.Lanes);
        Put<TEnd>(panel, row + 11, column, r11v0, r11v1, sums + 22 * TSimd.Lanes);
    }

    /// <summary>Eight rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply8x2<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
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
        byte* b = panel.B + column * TFormat.Bytes;
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

        Put<TEnd>(panel, row + 0, column, r0v0, r0v1, sums);
        Put<TEnd>(panel, row + 1, column, r1v0, r1v1, sums + 2 * TSimd.Lanes);
        Put<TEnd>(panel, row + 2, column, r2v0, r2v1, sums + 4 * TSimd.Lanes);
        Put<TEnd>(panel, row + 3, column, r3v0, r3v1, sums + 6 * TSimd.Lanes);
        Put<TEnd>(panel, row + 4, column, r4v0, r4v1, sums + 8 * TSimd.Lanes);
        Put<TEnd>(panel, row + 5, column, r5v0, r5v1, sums + 10 * TSimd.Lanes);
        Put<TEnd>(panel, row + 6, column, r6v0, r6v1, sums + 12 * TSimd.Lanes);
        Put<TEnd>(panel, row + 7, column, r7v0, r7v1, sums + 14 * TSimd.Lanes);
    }

    /// <summary>Six rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply6x2<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
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
        byte* b = panel.B + column * TFormat.Bytes;
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

        Put<TEnd>(panel, row + 0, column, r0v0, r0v1, sums);
        Put<TEnd>(panel, row + 1, column, r1v0, r1v1, sums + 2 * TSimd.Lanes);
        Put<TEnd>(panel, row + 2, column, r2v0, r2v1, sums + 4 * TSimd.Lanes);
        Put<TEnd>(panel, row + 3, column, r3v0, r3v1, sums + 6 * TSimd.Lanes);
        Put<TEnd>(panel, row + 4, column, r4v0, r4v1, sums + 8 * TSimd.Lanes);
        Put<TEnd>(panel, row + 5, column, r5v0, r5v1, sums + 10 * TSimd.Lanes);
    }

    /// <summary>Four rows by two vectors. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply4x2<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
    {
        TVector r0v0 = default, r0v1 = default;
        TVector r1v0 = default, r1v1 = default;
        TVector r2v0 = default, r2v1 = default;
        TVector r3v0 = default, r3v1 = default;
        int last = Math.Min(4, panel.Rows - row) - 1;
        float* a0 = panel.SourceRow(row);
        float* a1 = panel.SourceRow(row + Math.Min(1, last)), a2 = panel.SourceRow(row + Math.Min(2, last));
        float* a3 = panel.SourceRow(row + Math.Min(3, last));
        byte* b = panel.B + column * TFormat.Bytes;
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

        Put<TEnd>(panel, row + 0, column, r0v0, r0v1, sums);
        Put<TEnd>(panel, row + 1, column, r1v0, r1v1, sums + 2 * TSimd.Lanes);
        Put<TEnd>(panel, row + 2, column, r2v0, r2v1, sums + 4 * TSimd.Lanes);
        Put<TEnd>(panel, row + 3, column, r3v0, r3v1, sums + 6 * TSimd.Lanes);
    }

    /// <summary>Twelve rows by a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply12x1<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
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
        byte* b = panel.B + column * TFormat.Bytes;
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

        TEnd.Put(panel, row + 0, column, r0v0, sums);
        TEnd.Put(panel, row + 1, column, r1v0, sums + 1 * TSimd.Lanes);
        TEnd.Put(panel, row + 2, column, r2v0, sums + 2 * TSimd.Lanes);
        TEnd.Put(panel, row + 3, column, r3v0, sums + 3 * TSimd.Lanes);
        TEnd.Put(panel, row + 4, column, r4v0, sums + 4 * TSimd.Lanes);
        TEnd.Put(panel, row + 5, column, r5v0, sums + 5 * TSimd.Lanes);
        TEnd.Put(panel, row + 6, column, r6v0, sums + 6 * TSimd.Lanes);
        TEnd.Put(panel, row + 7, column, r7v0, sums + 7 * TSimd.Lanes);
        TEnd.Put(panel, row + 8, column, r8v0, sums + 8 * TSimd.Lanes);
        TEnd.Put(panel, row + 9, column, r9v0, sums + 9 * TSimd.Lanes);
        TEnd.Put(panel, row + 10, column, r10v0, sums + 10 * TSimd.Lanes);
        TEnd.Put(panel, row + 11, column, r11v0, sums + 11 * TSimd.Lanes);
    }

    /// <summary>Eight rows by a vector. Missing rows repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply8x1<TEnd>(in GemmTile panel, int row, int column, float* sums)
        where TEnd : struct, ITileEnd
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
        byte* b = panel.B + column * TFormat.Bytes;
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

        TEnd.Put(panel, row + 0, column, r0v0, sums);
        TEnd.Put(panel, row + 1, column, r1v0, sums + 1 * TSimd.Lanes);
        TEnd.Put(panel, row + 2, column, r2v0, sums + 2 * TSimd.Lanes);
        TEnd.Put(panel, row + 3, column, r3v0, sums + 3 * TSimd.Lanes);
        TEnd.Put(panel, row + 4, column, r4v0, sums + 4 * TSimd.Lanes);
        TEnd.Put(panel, row + 5, column, r5v0, sums + 5 * TSimd.Lanes);
        TEnd.Put(panel, row + 6, column, r6v0, sums + 6 * TSimd.Lanes);
        TEnd.Put(panel, row + 7, column, r7v0, sums + 7 * TSimd.Lanes);
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

    /// <summary>Ends a row of two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TEnd>(in GemmTile panel, int row, int column, TVector v0, TVector v1, float* sums)
        where TEnd : struct, ITileEnd
    {
        TEnd.Put(panel, row, column, v0, sums);
        TEnd.Put(panel, row, column + TSimd.Lanes, v1, sums + TSimd.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector LoadB(byte* source) => TFormat.Load<TSimd, TVector>(source);
}
