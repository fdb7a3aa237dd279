using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>Nonlinearities and element-wise arithmetic, in place.</summary>
internal static unsafe class ElementKernels
{
    /// <summary>A function of one value, 16 at a time.</summary>
    public interface IFunction
    {
        /// <summary>Computes the function.</summary>
        static abstract Vector512<float> Of(Vector512<float> x);
    }

    /// <summary>A function of two values, 16 at a time.</summary>
    public interface IFunction2
    {
        /// <summary>Computes the function.</summary>
        static abstract Vector512<float> Of(Vector512<float> x, Vector512<float> y);
    }

    public readonly struct Map<TFunction>(float* values, int columns) : IRowOperation
        where TFunction : struct, IFunction
    {
        public void Execute(int start, int end)
        {
            float* stop = values + ((nint)end * columns);
            for (float* x = values + ((nint)start * columns); x < stop; x += VectorMath.Lanes)
            {
                int count = (int)Math.Min(VectorMath.Lanes, stop - x);
                VectorMath.Store(TFunction.Of(VectorMath.Load(x, count)), x, count);
            }
        }
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
                for (int i = 0; i < columns; i += VectorMath.Lanes)
                {
                    int count = columns - i;
                    VectorMath.Store(TFunction.Of(VectorMath.Load(x + i, count), VectorMath.Load(y + i, count)), x + i, count);
                }
            }
        }
    }

    public readonly struct Sum : IFunction2
    {
        public static Vector512<float> Of(Vector512<float> x, Vector512<float> y) => x + y;
    }

    public readonly struct Product : IFunction2
    {
        public static Vector512<float> Of(Vector512<float> x, Vector512<float> y) => x * y;
    }

    public readonly struct Relu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => Vector512.Max(x, Vector512<float>.Zero);
    }

    public readonly struct Gelu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x)
        {
            Vector512<float> half = x * Vector512.Create(0.5f);
            return Vector512.FusedMultiplyAdd(half, VectorMath.Erf(x * Vector512.Create(0.707106781f)), half);
        }
    }

    public readonly struct GeluTanh : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x)
        {
            Vector512<float> inner = Vector512.FusedMultiplyAdd(x * x * x, Vector512.Create(0.044715f), x) * Vector512.Create(0.797884561f);
            Vector512<float> half = x * Vector512.Create(0.5f);
            return Vector512.FusedMultiplyAdd(half, VectorMath.Tanh(inner), half);
        }
    }

    public readonly struct QuickGelu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => x * VectorMath.Sigmoid(x * Vector512.Create(1.702f));
    }

    public readonly struct Silu : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => x * VectorMath.Sigmoid(x);
    }

    public readonly struct Tanh : IFunction
    {
        public static Vector512<float> Of(Vector512<float> x) => VectorMath.Tanh(x);
    }
}
