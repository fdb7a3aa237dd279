using System.Runtime.Intrinsics;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Tests.Compute.Cpu;

[TestClass]
public sealed unsafe class ElementKernelTests
{
    [TestMethod]
    public void EveryVectorWidthGivesTheSameBits()
    {
        AssertWidthsAgree<ElementKernels.Exponential>();
        AssertWidthsAgree<ElementKernels.Relu>();
        AssertWidthsAgree<ElementKernels.Gelu>();
        AssertWidthsAgree<ElementKernels.GeluTanh>();
        AssertWidthsAgree<ElementKernels.QuickGelu>();
        AssertWidthsAgree<ElementKernels.Silu>();
        AssertWidthsAgree<ElementKernels.Tanh>();
    }

    [TestMethod]
    public void ExponentialsAreWithinTwoUnitsInTheLastPlace()
    {
        float[] x = [.. Inputs().Where(value => MathF.Abs(value) < 87)];
        float[] actual = Apply<ElementKernels.Exponential, Simd256, Vector256<float>>(x);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = Math.Exp(x[i]);
            Assert.AreEqual(expected, actual[i], 2 * (MathF.BitIncrement((float)expected) - (double)(float)expected), $"e^{x[i]}");
        }
    }

    [TestMethod]
    public void ExponentialsOfExtremesAreTheLimits()
    {
        float[] actual = Apply<ElementKernels.Exponential, Simd256, Vector256<float>>(
            [float.NegativeInfinity, float.MinValue, -100, 0, 89, float.MaxValue, float.PositiveInfinity, float.NaN]);
        CollectionAssert.AreEqual(
            new[] { 0, 0, 0, 1, float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity, float.NaN }, actual);
    }

    private static void AssertWidthsAgree<TFunction>()
        where TFunction : struct, ElementKernels.IFunction
    {
        float[] inputs = [.. Inputs()];
        int[] wide = Bits(Apply<TFunction, Simd512, Vector512<float>>(inputs));
        CollectionAssert.AreEqual(wide, Bits(Apply<TFunction, Simd256, Vector256<float>>(inputs)), typeof(TFunction).Name);
        CollectionAssert.AreEqual(wide, Bits(Apply<TFunction, Simd128, Vector128<float>>(inputs)), typeof(TFunction).Name);
    }

    private static int[] Bits(float[] values) => [.. values.Select(value => float.IsNaN(value) ? -1 : BitConverter.SingleToInt32Bits(value))];

    private static float[] Apply<TFunction, TSimd, TVector>(float[] inputs)
        where TFunction : struct, ElementKernels.IFunction
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float[] values = [.. inputs];
        fixed (float* pointer = values)
        {
            ElementKernels.Apply<TFunction, TSimd, TVector>(pointer, values.Length);
        }

        return values;
    }

    /// <summary>All magnitudes and both signs, the extremes, and a number of them that no register's width divides.</summary>
    private static IEnumerable<float> Inputs()
    {
        var random = new Random(1);
        for (int i = 0; i < 3000; i++)
        {
            yield return (random.NextSingle() - 0.5f) * MathF.Pow(2, random.Next(-30, 12));
        }

        foreach (float value in (float[])[0, -0f, float.Epsilon, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 88.72f, -87.33f, 128])
        {
            yield return value;
        }
    }
}
