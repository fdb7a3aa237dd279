using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>Rotates the features of each head by the angles of the row's position.</summary>
internal readonly unsafe struct RotaryKernel(float* values, int heads, float* angles, int headSize, int period) : IRowOperation
{
    public void Execute(int start, int end)
    {
        int half = headSize / 2;
        for (int row = start; row < end; row++)
        {
            float* cosines = angles + ((nint)(row % period) * headSize);
            float* sines = cosines + half;
            for (int head = 0; head < heads; head++)
            {
                float* first = values + ((((nint)row * heads) + head) * headSize);
                float* second = first + half;
                for (int i = 0; i < half; i += VectorMath.Lanes)
                {
                    int count = half - i;
                    Vector512<float> x = VectorMath.Load(first + i, count);
                    Vector512<float> y = VectorMath.Load(second + i, count);
                    Vector512<float> cosine = VectorMath.Load(cosines + i, count);
                    Vector512<float> sine = VectorMath.Load(sines + i, count);
                    VectorMath.Store(Vector512.FusedMultiplyAdd(x, cosine, -(y * sine)), first + i, count);
                    VectorMath.Store(Vector512.FusedMultiplyAdd(y, cosine, x * sine), second + i, count);
                }
            }
        }
    }
}
