using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Elementary functions and sums over 16 lanes. A machine with narrower registers computes the same lanes in several steps, so
/// results have the same bits everywhere; sums always run over 16 lanes and one fixed tree.
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
    public static Vector512<float> Exp(Vector512<float> x)
    {
        // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor series to r^7, whose remainder is below 6e-9.
        Vector512<float> clamped = Vector512.Min(Vector512.Max(x, Vector512.Create(-88f)), Vector512.Create(88.73f));
        Vector512<float> n = Vector512.Floor(Vector512.FusedMultiplyAdd(clamped, Vector512.Create(1.44269504f), Vector512.Create(0.5f)));
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), clamped);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
        Vector512<float> p = Vector512.Create(1f / 5040);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 720));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 120));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 24));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1f / 6));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(0.5f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512<float>.One);

        // 2^n in two factors: n reaches 128, one more than an exponent holds.
        Vector512<int> whole = Vector512.ConvertToInt32(n);
        Vector512<int> half = Vector512.ShiftRightArithmetic(whole, 1);
        Vector512<float> scaled = p * PowerOfTwo(half) * PowerOfTwo(whole - half);
        scaled = Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(-87.33f)), Vector512<float>.Zero, scaled);
        scaled = Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512.Create(88.722f)), Vector512.Create(float.PositiveInfinity), scaled);
        return Vector512.ConditionalSelect(Vector512.Equals(x, x), scaled, x);
    }

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));

    /// <summary>tanh(x), within 3 units in the last place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Tanh(Vector512<float> x)
    {
        Vector512<float> magnitude = Vector512.Abs(x);

        // Below 0.625 the quotient of exponentials cancels: there x + x^3 P(x^2), P fitted to (tanh(x)/x - 1)/x^2 by Chebyshev nodes.
        Vector512<float> square = magnitude * magnitude;
        Vector512<float> p = Vector512.Create(TanhFit5);
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(TanhFit4));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(TanhFit3));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(TanhFit2));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(TanhFit1));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(TanhFit0));
        Vector512<float> small = Vector512.FusedMultiplyAdd(p * square, magnitude, magnitude);

        Vector512<float> large = Vector512<float>.One - (Vector512.Create(2f) / (Exp(magnitude + magnitude) + Vector512<float>.One));
        Vector512<float> result = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512.Create(0.625f)), small, large);
        return Vector512.CopySign(result, x);
    }

    /// <summary>The error function, within 2e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Erf(Vector512<float> x)
    {
        Vector512<float> magnitude = Vector512.Abs(x);

        // Below 1 the odd series; above, 1 - e^(-x^2) Q(t) with t = 1/(1 + x/2), Q fitted to the scaled complementary function.
        Vector512<float> square = magnitude * magnitude;
        Vector512<float> p = Vector512.Create(ErfSmall7);
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall6));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall5));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall4));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall3));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall2));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall1));
        p = Vector512.FusedMultiplyAdd(p, square, Vector512.Create(ErfSmall0));
        Vector512<float> small = p * magnitude;

        Vector512<float> t = Vector512<float>.One / Vector512.FusedMultiplyAdd(magnitude, Vector512.Create(0.5f), Vector512<float>.One);
        Vector512<float> q = Vector512.Create(ErfLarge7);
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge6));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge5));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge4));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge3));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge2));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge1));
        q = Vector512.FusedMultiplyAdd(q, t, Vector512.Create(ErfLarge0));
        Vector512<float> large = Vector512<float>.One - (Exp(-square) * q);

        Vector512<float> result = Vector512.ConditionalSelect(Vector512.LessThan(magnitude, Vector512<float>.One), small, large);
        return Vector512.CopySign(result, x);
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
    private static Vector512<float> PowerOfTwo(Vector512<int> exponent)
        => Vector512.ShiftLeft(exponent + Vector512.Create(127), 23).AsSingle();
}
