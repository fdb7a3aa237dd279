using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>Nonlinearities and element-wise arithmetic, in place.</summary>
internal static unsafe class ElementKernels
{
    /// <summary>A function of one value.</summary>
    public interface IFunction
    {
        /// <summary>Computes the function.</summary>
        static abstract TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct;
    }

    /// <summary>A function of two values.</summary>
    public interface IFunction2
    {
        /// <summary>Computes the function.</summary>
        static abstract TVector Of<TSimd, TVector>(TVector x, TVector y)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct;
    }

    public readonly struct Map<TFunction>(float* values, int columns) : IRowOperation
        where TFunction : struct, IFunction
    {
        public void Execute(int start, int end) => Apply<TFunction>(values + ((nint)start * columns), (nint)(end - start) * columns);
    }

    /// <summary>target = f(target, values); row i takes row i modulo <paramref name="period"/> of the values.</summary>
    public readonly struct Combine<TFunction>(float* target, float* values, int columns, int period) : IRowOperation
        where TFunction : struct, IFunction2
    {
        public void Execute(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                float* x = target + ((nint)row * columns);
                float* y = values + ((nint)(row % period) * columns);
                if (Vector512.IsHardwareAccelerated)
                {
                    Apply<TFunction, Simd512, Vector512<float>>(x, y, columns);
                }
                else if (Vector256.IsHardwareAccelerated)
                {
                    Apply<TFunction, Simd256, Vector256<float>>(x, y, columns);
                }
                else
                {
                    Apply<TFunction, Simd128, Vector128<float>>(x, y, columns);
                }
            }
        }
    }

    /// <summary>Replaces values by a function of them.</summary>
    public static void Apply<TFunction>(float* values, nint count)
        where TFunction : struct, IFunction
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Apply<TFunction, Simd512, Vector512<float>>(values, count);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Apply<TFunction, Simd256, Vector256<float>>(values, count);
        }
        else
        {
            Apply<TFunction, Simd128, Vector128<float>>(values, count);
        }
    }

    /// <summary>As the other overload, in registers to choose. The result does not depend on them.</summary>
    internal static void Apply<TFunction, TSimd, TVector>(float* x, nint count)
        where TFunction : struct, IFunction
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (; count >= TSimd.Lanes; count -= TSimd.Lanes, x += TSimd.Lanes)
        {
            TSimd.Store(TFunction.Of<TSimd, TVector>(TSimd.Load(x)), x);
        }

        if (count > 0)
        {
            float* lanes = stackalloc float[TSimd.Lanes];
            new ReadOnlySpan<float>(x, (int)count).CopyTo(new Span<float>(lanes, TSimd.Lanes));
            TSimd.Store(TFunction.Of<TSimd, TVector>(TSimd.Load(lanes)), lanes);
            new ReadOnlySpan<float>(lanes, (int)count).CopyTo(new Span<float>(x, (int)count));
        }
    }

    private static void Apply<TFunction, TSimd, TVector>(float* x, float* y, int count)
        where TFunction : struct, IFunction2
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (; count >= TSimd.Lanes; count -= TSimd.Lanes, x += TSimd.Lanes, y += TSimd.Lanes)
        {
            TSimd.Store(TFunction.Of<TSimd, TVector>(TSimd.Load(x), TSimd.Load(y)), x);
        }

        if (count > 0)
        {
            float* left = stackalloc float[TSimd.Lanes], right = stackalloc float[TSimd.Lanes];
            new ReadOnlySpan<float>(x, count).CopyTo(new Span<float>(left, TSimd.Lanes));
            new ReadOnlySpan<float>(y, count).CopyTo(new Span<float>(right, TSimd.Lanes));
            TSimd.Store(TFunction.Of<TSimd, TVector>(TSimd.Load(left), TSimd.Load(right)), left);
            new ReadOnlySpan<float>(left, count).CopyTo(new Span<float>(x, count));
        }
    }

    public readonly struct Sum : IFunction2
    {
        public static TVector Of<TSimd, TVector>(TVector x, TVector y)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Add(x, y);
    }

    public readonly struct Product : IFunction2
    {
        public static TVector Of<TSimd, TVector>(TVector x, TVector y)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Multiply(x, y);
    }

    public readonly struct Exponential : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => VectorMath.Exp<TSimd, TVector>(x);
    }

    public readonly struct Relu : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Max(x, TSimd.Broadcast(0));
    }

    public readonly struct Gelu : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            TVector half = TSimd.Multiply(x, TSimd.Broadcast(0.5f));
            return TSimd.MultiplyAdd(half, VectorMath.Erf<TSimd, TVector>(TSimd.Multiply(x, TSimd.Broadcast(0.707106781f))), half);
        }
    }

    public readonly struct GeluTanh : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            TVector cubed = TSimd.Multiply(TSimd.Multiply(x, x), x);
            TVector inner = TSimd.Multiply(TSimd.MultiplyAdd(cubed, TSimd.Broadcast(0.044715f), x), TSimd.Broadcast(0.797884561f));
            TVector half = TSimd.Multiply(x, TSimd.Broadcast(0.5f));
            return TSimd.MultiplyAdd(half, VectorMath.Tanh<TSimd, TVector>(inner), half);
        }
    }

    public readonly struct QuickGelu : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Multiply(x, VectorMath.Sigmoid<TSimd, TVector>(TSimd.Multiply(x, TSimd.Broadcast(1.702f))));
    }

    public readonly struct Silu : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Multiply(x, VectorMath.Sigmoid<TSimd, TVector>(x));
    }

    public readonly struct Tanh : IFunction
    {
        public static TVector Of<TSimd, TVector>(TVector x)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => VectorMath.Tanh<TSimd, TVector>(x);
    }
}
