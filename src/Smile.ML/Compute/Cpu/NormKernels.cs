using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>Layer and root-mean-square normalisation, a row at a time.</summary>
internal static unsafe class NormKernels
{
    public readonly struct LayerNorm(float* input, float* gain, float* bias, float epsilon, int columns, float* result) : IRowOperation
    {
        public void Execute(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                float* x = input + ((nint)row * columns);
                float* y = result + ((nint)row * columns);
                float mean = Sum(x, columns) / columns;
                float scale = 1f / MathF.Sqrt((SumOfSquares(x, mean, columns) / columns) + epsilon);
                for (int i = 0; i < columns; i += VectorMath.Lanes)
                {
                    int count = columns - i;
                    Vector512<float> normal = (VectorMath.Load(x + i, count) - Vector512.Create(mean)) * Vector512.Create(scale);
                    VectorMath.Store(
                        Vector512.FusedMultiplyAdd(normal, VectorMath.Load(gain + i, count), VectorMath.Load(bias + i, count)), y + i, count);
                }
            }
        }
    }

    public readonly struct RmsNorm(float* input, float* gain, float epsilon, int columns, float* result) : IRowOperation
    {
        public void Execute(int start, int end)
        {
            for (int row = start; row < end; row++)
            {
                float* x = input + ((nint)row * columns);
                float* y = result + ((nint)row * columns);
                float scale = 1f / MathF.Sqrt((SumOfSquares(x, 0, columns) / columns) + epsilon);
                for (int i = 0; i < columns; i += VectorMath.Lanes)
                {
                    int count = columns - i;
                    VectorMath.Store(
                        VectorMath.Load(x + i, count) * Vector512.Create(scale) * VectorMath.Load(gain + i, count), y + i, count);
                }
            }
        }
    }

    private static float Sum(float* x, int count)
    {
        Vector512<float> sum = default;
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            sum += VectorMath.Load(x + i, count - i);
        }

        return VectorMath.Sum(sum);
    }

    private static float SumOfSquares(float* x, float mean, int count)
    {
        Vector512<float> sum = default;
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            // Lanes beyond the row take the mean, so that they add nothing.
            Vector512<float> difference = VectorMath.Load(x + i, count - i, mean) - Vector512.Create(mean);
            sum = Vector512.FusedMultiplyAdd(difference, difference, sum);
        }

        return VectorMath.Sum(sum);
    }
}
