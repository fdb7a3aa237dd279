using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Elementary functions, in registers of any width with the same bits, and sums, which always run over 16 lanes and one fixed tree: a
/// machine with narrower registers computes them in several steps.
/// </summary>
internal static unsafe class VectorMath
{
    /// <summary>The lanes of one step.</summary>
    public const int Lanes = 16;

    private const float TanhFit0 = -0.333333343f;
    private const float TanhFit1 = 0.133333042f;
    private const float TanhFit2 = -0.0539594069f;
    private const float TanhFit3 = 0.0217699613f;
    private const float TanhFit4 = -0.00834697951f;
    private const float TanhFit5 = 0.00229584076f;
    private const float ErfSmall0 = 1.12837923f;
    private const float ErfSmall1 = -0.376126379f;
    private const float ErfSmall2 = 0.112837829f;
    private const float ErfSmall3 = -0.0268654376f;
    private const float ErfSmall4 = 0.00522105349f;
    private const float ErfSmall5 = -0.000848439639f;
    private const float ErfSmall6 = 0.000112682508f;
    private const float ErfSmall7 = -9.6735821e-06f;
    private const float ErfLarge0 = -0.000107110776f;
    private const float ErfLarge1 = 0.284197122f;
    private const float ErfLarge2 = 0.264292866f;
    private const float ErfLarge3 = 0.331524372f;
    private const float ErfLarge4 = -0.0694804043f;
    private const float ErfLarge5 = 0.520808458f;
    private const float ErfLarge6 = -0.44217205f;
    private const float ErfLarge7 = 0.110932857f;

    /// <summary>e^x within 2 units in the last place; 0 below about -87, infinity above about 88, NaN for NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to r^7, whose remainder is below 6e-9.
        TVector clamped = TSimd.Min(TSimd.Max(x, TSimd.Broadcast(-88f)), TSimd.Broadcast(88.73f));
        TVector n = TSimd.Floor(TSimd.MultiplyAdd(clamped, TSimd.Broadcast(1.44269504f), TSimd.Broadcast(0.5f)));
        TVector r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-0.693359375f), clamped);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(2.12194440e-4f), r);
        TVector p = TSimd.Broadcast(1f / 5040);
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 720));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 120));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 24));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1f / 6));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(0.5f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1));

        // 2^n in two factors: n reaches 128, one more than an exponent holds.
        TVector half = TSimd.Floor(TSimd.Multiply(n, TSimd.Broadcast(0.5f)));
        TVector scaled = TSimd.Multiply(TSimd.Multiply(p, TSimd.PowerOfTwo(half)), TSimd.PowerOfTwo(TSimd.Subtract(n, half)));
        scaled = TSimd.WhereLess(x, TSimd.Broadcast(-87.33f), TSimd.Broadcast(0), scaled);
        scaled = TSimd.WhereLess(TSimd.Broadcast(88.722f), x, TSimd.Broadcast(float.PositiveInfinity), scaled);
        return TSimd.WhereNumber(x, scaled);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        => TSimd.Divide(TSimd.Broadcast(1), TSimd.Add(TSimd.Broadcast(1), Exp<TSimd, TVector>(Negate<TSimd, TVector>(x))));

    /// <summary>tanh(x), within 3 units in the last place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector magnitude = TSimd.Abs(x);

        // Below 0.625 the quotient of exponentials cancels: there x + x^3 P(x^2), P fitted to (tanh(x)/x - 1)/x^2 by Chebyshev nodes.
        TVector square = TSimd.Multiply(magnitude, magnitude);
        TVector p = TSimd.Broadcast(TanhFit5);
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(TanhFit4));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(TanhFit3));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(TanhFit2));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(TanhFit1));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(TanhFit0));
        TVector small = TSimd.MultiplyAdd(TSimd.Multiply(p, square), magnitude, magnitude);

        TVector divisor = TSimd.Add(Exp<TSimd, TVector>(TSimd.Add(magnitude, magnitude)), TSimd.Broadcast(1));
        TVector large = TSimd.Subtract(TSimd.Broadcast(1), TSimd.Divide(TSimd.Broadcast(2), divisor));
        return TSimd.CopySign(TSimd.WhereLess(magnitude, TSimd.Broadcast(0.625f), small, large), x);
    }

    /// <summary>The error function, within 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Erf<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector magnitude = TSimd.Abs(x);

        // Below 1 the odd series; above, 1 - e^(-x^2) Q(t) with t = 1/(1 + x/2), Q fitted to the scaled complementary function.
        TVector square = TSimd.Multiply(magnitude, magnitude);
        TVector p = TSimd.Broadcast(ErfSmall7);
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall6));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall5));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall4));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall3));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall2));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall1));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(ErfSmall0));
        TVector small = TSimd.Multiply(p, magnitude);

        TVector t = TSimd.Divide(TSimd.Broadcast(1), TSimd.MultiplyAdd(magnitude, TSimd.Broadcast(0.5f), TSimd.Broadcast(1)));
        TVector q = TSimd.Broadcast(ErfLarge7);
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge6));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge5));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge4));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge3));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge2));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge1));
        q = TSimd.MultiplyAdd(q, t, TSimd.Broadcast(ErfLarge0));
        TVector tail = TSimd.Multiply(Exp<TSimd, TVector>(Negate<TSimd, TVector>(square)), q);
        TVector large = TSimd.Subtract(TSimd.Broadcast(1), tail);

        return TSimd.CopySign(TSimd.WhereLess(magnitude, TSimd.Broadcast(1), small, large), x);
    }

    /// <summary>The sum of 16 lanes by halving: the same order on every machine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> x)
    {
        Vector256<float> eight = x.GetLower() + x.GetUpper();
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }

    /// <summary>Loads up to 16 values; lanes beyond <paramref name="count"/> are <paramref name="fill"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source, int count, float fill = 0)
    {
        if (count >= Lanes)
        {
            return Vector512.Load(source);
        }

        Vector512<float> lanes = Vector512.Create(fill);
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(&lanes, Lanes));
        return lanes;
    }

    /// <summary>Stores the first <paramref name="count"/> of 16 lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> lanes, float* destination, int count)
    {
        if (count >= Lanes)
        {
            lanes.Store(destination);
            return;
        }

        new ReadOnlySpan<float>(&lanes, count).CopyTo(new Span<float>(destination, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Negate<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        => TSimd.Multiply(x, TSimd.Broadcast(-1));
}
