using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Benchmarks;

/// <summary>The most that a core can compute: multiply-adds on registers alone.</summary>
internal static unsafe class PeakRate
{
    private const int Sums = 12;
    private const int Steps = 1_000_000;
    private const int Runs = 15;

    /// <summary>Measures it with the vectors that the kernels use.</summary>
    /// <returns>The best of several runs, in floating-point operations per second.</returns>
    public static double Measure() => Gemm.PreferredVectorBits switch
    {
        512 => Measure<Simd512, Vector512<float>>(),
        256 => Measure<Simd256, Vector256<float>>(),
        _ => Measure<Simd128, Vector128<float>>(),
    };

    private static double Measure<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // Sums that start alike would be computed once for all.
        float[] values = [.. Enumerable.Range(0, Sums * TSimd.Lanes).Select(i => (float)i)];
        double best = double.PositiveInfinity;
        fixed (float* start = values)
        {
            for (int run = 0; run < Runs; run++)
            {
                long begin = Stopwatch.GetTimestamp();
                MultiplyAdd<TSimd, TVector>(start, values[run], values[run + 1]);
                best = Math.Min(best, Stopwatch.GetElapsedTime(begin).TotalSeconds);
            }
        }

        return 2.0 * Sums * TSimd.Lanes * Steps / best;
    }

    /// <summary>More chains than two units need to hide an addition's latency.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyAdd<TSimd, TVector>(float* sums, float left, float right)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector x = TSimd.Broadcast(left), y = TSimd.Broadcast(right);
        int lanes = TSimd.Lanes;
        TVector v0 = TSimd.Load(sums), v1 = TSimd.Load(sums + lanes), v2 = TSimd.Load(sums + (2 * lanes));
        TVector v3 = TSimd.Load(sums + (3 * lanes)), v4 = TSimd.Load(sums + (4 * lanes)), v5 = TSimd.Load(sums + (5 * lanes));
        TVector v6 = TSimd.Load(sums + (6 * lanes)), v7 = TSimd.Load(sums + (7 * lanes)), v8 = TSimd.Load(sums + (8 * lanes));
        TVector v9 = TSimd.Load(sums + (9 * lanes)), v10 = TSimd.Load(sums + (10 * lanes)), v11 = TSimd.Load(sums + (11 * lanes));
        for (int step = 0; step < Steps; step++)
        {
            v0 = TSimd.MultiplyAdd(x, y, v0);
            v1 = TSimd.MultiplyAdd(x, y, v1);
            v2 = TSimd.MultiplyAdd(x, y, v2);
            v3 = TSimd.MultiplyAdd(x, y, v3);
            v4 = TSimd.MultiplyAdd(x, y, v4);
            v5 = TSimd.MultiplyAdd(x, y, v5);
            v6 = TSimd.MultiplyAdd(x, y, v6);
            v7 = TSimd.MultiplyAdd(x, y, v7);
            v8 = TSimd.MultiplyAdd(x, y, v8);
            v9 = TSimd.MultiplyAdd(x, y, v9);
            v10 = TSimd.MultiplyAdd(x, y, v10);
            v11 = TSimd.MultiplyAdd(x, y, v11);
        }

        TVector sum = TSimd.Add(TSimd.Add(TSimd.Add(v0, v1), TSimd.Add(v2, v3)), TSimd.Add(TSimd.Add(v4, v5), TSimd.Add(v6, v7)));
        TSimd.Store(TSimd.Add(sum, TSimd.Add(TSimd.Add(v8, v9), TSimd.Add(v10, v11))), sums);
    }
}
