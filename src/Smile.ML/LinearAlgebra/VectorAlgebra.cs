using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Operations on vectors in float64. All sums run in the same eight lanes whatever the width of the registers, so results do not depend
/// on the machine. Optimised from the first call: a decomposition makes thousands before tiered compilation would notice.
/// </summary>
internal static class VectorAlgebra
{
    private const int Lanes = 8;

    /// <summary>Computes x . y.</summary>
    /// <param name="x">A vector.</param>
    /// <param name="y">Another, as long.</param>
    /// <returns>The inner product.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        int length = SameLength(x, y);
        Vector512<double> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i <= length - 4 * Lanes; i += 4 * Lanes)
        {
            sum0 = Vector512.FusedMultiplyAdd(At(ref xs, i), At(ref ys, i), sum0);
            sum1 = Vector512.FusedMultiplyAdd(At(ref xs, i + Lanes), At(ref ys, i + Lanes), sum1);
            sum2 = Vector512.FusedMultiplyAdd(At(ref xs, i + 2 * Lanes), At(ref ys, i + 2 * Lanes), sum2);
            sum3 = Vector512.FusedMultiplyAdd(At(ref xs, i + 3 * Lanes), At(ref ys, i + 3 * Lanes), sum3);
        }

        for (; i <= length - Lanes; i += Lanes)
        {
            sum0 = Vector512.FusedMultiplyAdd(At(ref xs, i), At(ref ys, i), sum0);
        }

        double sum = SumLanes(sum0 + sum1 + (sum2 + sum3));
        for (; i < length; i++)
        {
            sum = Math.FusedMultiplyAdd(x[i], y[i], sum);
        }

        return sum;
    }

    /// <summary>Computes x . x in float64.</summary>
    /// <param name="x">A float32 vector.</param>
    /// <returns>The squared length.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double SumOfSquares(ReadOnlySpan<float> x)
    {
        Vector512<double> sum = default;
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
        {
            (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(Vector256.Create(x.Slice(i, Lanes)));
            Vector512<double> wide = Vector512.Create(lower, upper);
            sum = Vector512.FusedMultiplyAdd(wide, wide, sum);
        }

        double total = SumLanes(sum);
        for (; i < x.Length; i++)
        {
            total = Math.FusedMultiplyAdd(x[i], (double)x[i], total);
        }

        return total;
    }

    /// <summary>Finds the largest magnitude of a float32 vector.</summary>
    /// <param name="x">The vector.</param>
    /// <returns>The magnitude; not finite if any element is not.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float MaxMagnitude(ReadOnlySpan<float> x)
    {
        // Without the sign, the bits of floats sort like integers, infinity and then NaN last.
        ReadOnlySpan<int> bits = MemoryMarshal.Cast<float, int>(x);
        Vector512<int> mask = Vector512.Create(int.MaxValue);
        Vector512<int> largest = default;
        int i = 0;
        for (; i <= bits.Length - 2 * Lanes; i += 2 * Lanes)
        {
            largest = Vector512.Max(largest, Vector512.Create(bits.Slice(i, 2 * Lanes)) & mask);
        }

        int result = 0;
        for (int lane = 0; lane < Vector512<int>.Count; lane++)
        {
            result = Math.Max(result, largest[lane]);
        }

        for (; i < bits.Length; i++)
        {
            result = Math.Max(result, bits[i] & int.MaxValue);
        }

        return BitConverter.Int32BitsToSingle(result);
    }

    /// <summary>Computes x . x, y . y and x . y in one pass.</summary>
    /// <param name="x">A vector.</param>
    /// <param name="y">Another, as long.</param>
    /// <returns>The three inner products.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double XX, double YY, double XY) Products(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        int length = SameLength(x, y);
        Vector512<double> xx0 = default, yy0 = default, xy0 = default;
        Vector512<double> xx1 = default, yy1 = default, xy1 = default;
        int i = 0;
        for (; i <= length - 2 * Lanes; i += 2 * Lanes)
        {
            Vector512<double> x0 = At(ref xs, i), y0 = At(ref ys, i);
            Vector512<double> x1 = At(ref xs, i + Lanes), y1 = At(ref ys, i + Lanes);
            xx0 = Vector512.FusedMultiplyAdd(x0, x0, xx0);
            yy0 = Vector512.FusedMultiplyAdd(y0, y0, yy0);
            xy0 = Vector512.FusedMultiplyAdd(x0, y0, xy0);
            xx1 = Vector512.FusedMultiplyAdd(x1, x1, xx1);
            yy1 = Vector512.FusedMultiplyAdd(y1, y1, yy1);
            xy1 = Vector512.FusedMultiplyAdd(x1, y1, xy1);
        }

        double xx = SumLanes(xx0 + xx1), yy = SumLanes(yy0 + yy1), xy = SumLanes(xy0 + xy1);
        for (; i < length; i++)
        {
            xx = Math.FusedMultiplyAdd(x[i], x[i], xx);
            yy = Math.FusedMultiplyAdd(y[i], y[i], yy);
            xy = Math.FusedMultiplyAdd(x[i], y[i], xy);
        }

        return (xx, yy, xy);
    }

    /// <summary>Computes y += alpha x.</summary>
    /// <param name="alpha">The factor.</param>
    /// <param name="x">The vector to add.</param>
    /// <param name="y">The vector to add to, as long.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(double alpha, ReadOnlySpan<double> x, Span<double> y)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        int length = SameLength(x, y);
        Vector512<double> factor = Vector512.Create(alpha);
        int i = 0;
        for (; i <= length - Lanes; i += Lanes)
        {
            Set(ref ys, i, Vector512.FusedMultiplyAdd(factor, At(ref xs, i), At(ref ys, i)));
        }

        for (; i < length; i++)
        {
            y[i] = Math.FusedMultiplyAdd(alpha, x[i], y[i]);
        }
    }

    /// <summary>Computes z += alpha x + beta y.</summary>
    /// <param name="alpha">The factor of x.</param>
    /// <param name="x">A vector to add.</param>
    /// <param name="beta">The factor of y.</param>
    /// <param name="y">Another vector to add.</param>
    /// <param name="z">The vector to add to. All are equally long.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(double alpha, ReadOnlySpan<double> x, double beta, ReadOnlySpan<double> y, Span<double> z)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        ref double zs = ref MemoryMarshal.GetReference(z);
        int length = Math.Min(SameLength(x, y), SameLength(x, z));
        Vector512<double> a = Vector512.Create(alpha), b = Vector512.Create(beta);
        int i = 0;
        for (; i <= length - Lanes; i += Lanes)
        {
            Vector512<double> sum = Vector512.FusedMultiplyAdd(a, At(ref xs, i), At(ref zs, i));
            Set(ref zs, i, Vector512.FusedMultiplyAdd(b, At(ref ys, i), sum));
        }

        for (; i < length; i++)
        {
            z[i] = Math.FusedMultiplyAdd(beta, y[i], Math.FusedMultiplyAdd(alpha, x[i], z[i]));
        }
    }

    /// <summary>Computes x *= alpha.</summary>
    /// <param name="alpha">The factor.</param>
    /// <param name="x">The vector.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(double alpha, Span<double> x)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        Vector512<double> factor = Vector512.Create(alpha);
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
        {
            Set(ref xs, i, factor * At(ref xs, i));
        }

        for (; i < x.Length; i++)
        {
            x[i] *= alpha;
        }
    }

    /// <summary>Rotates two vectors: (x, y) becomes (c x - s y, s x + c y).</summary>
    /// <param name="x">A vector.</param>
    /// <param name="y">Another, as long.</param>
    /// <param name="c">The cosine.</param>
    /// <param name="s">The sine.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(Span<double> x, Span<double> y, double c, double s)
    {
        ref double xs = ref MemoryMarshal.GetReference(x);
        ref double ys = ref MemoryMarshal.GetReference(y);
        int length = SameLength(x, y);
        Vector512<double> cosine = Vector512.Create(c), sine = Vector512.Create(s);
        int i = 0;
        for (; i <= length - Lanes; i += Lanes)
        {
            Vector512<double> x0 = At(ref xs, i), y0 = At(ref ys, i);
            Set(ref xs, i, cosine * x0 - sine * y0);
            Set(ref ys, i, sine * x0 + cosine * y0);
        }

        for (; i < length; i++)
        {
            double x0 = x[i], y0 = y[i];
            x[i] = c * x0 - s * y0;
            y[i] = s * x0 + c * y0;
        }
    }

    /// <summary>Widens float32 to float64.</summary>
    /// <param name="source">The vector.</param>
    /// <param name="destination">Receives it; at least as long.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(ReadOnlySpan<float> source, Span<double> destination)
    {
        destination = destination[..source.Length];
        int i = 0;
        for (; i <= source.Length - Lanes; i += Lanes)
        {
            (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(Vector256.Create(source.Slice(i, Lanes)));
            lower.CopyTo(destination[i..]);
            upper.CopyTo(destination[(i + Lanes / 2)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = source[i];
        }
    }

    /// <summary>Narrows float64 to float32.</summary>
    /// <param name="source">The vector.</param>
    /// <param name="destination">Receives it; at least as long.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(ReadOnlySpan<double> source, Span<float> destination)
    {
        destination = destination[..source.Length];
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = (float)source[i];
        }
    }

    /// <summary>Adds the lanes in a fixed order.</summary>
    /// <param name="value">The lanes.</param>
    /// <returns>Their sum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double SumLanes(Vector512<double> value)
    {
        Vector256<double> four = value.GetLower() + value.GetUpper();
        Vector128<double> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> At(ref double start, int index) => Vector512.LoadUnsafe(ref start, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Set(ref double start, int index, Vector512<double> value) => value.StoreUnsafe(ref start, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SameLength(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        if (x.Length != y.Length)
        {
            throw new ArgumentException($"Vectors of {x.Length} and {y.Length} elements.", nameof(y));
        }

        return x.Length;
    }
}
