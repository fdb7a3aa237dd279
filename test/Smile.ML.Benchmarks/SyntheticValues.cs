using System.Numerics;

namespace Smile.ML.Benchmarks;

/// <summary>Quick ingredients of synthetic weights.</summary>
internal static class SyntheticValues
{
    /// <summary>Adds the sum of four uniform values, scaled to a standard deviation: near enough to normal here, and quick.</summary>
    public static void AddNoise(Random random, float deviation, Span<float> values)
    {
        float scale = deviation * MathF.Sqrt(3f / 4) / (1 << 15);
        foreach (ref float value in values)
        {
            long bits = random.NextInt64();
            int sum = (int)(bits & 0xFFFF) + (int)((bits >> 16) & 0xFFFF) + (int)((bits >> 32) & 0xFFFF) + (int)((bits >> 47) & 0xFFFF);
            value += scale * (sum - (2 << 16));
        }
    }

    /// <summary>Adds a multiple of a vector to another.</summary>
    public static void AddScaled(float factor, ReadOnlySpan<float> source, Span<float> target)
    {
        int i = 0;
        var factors = new Vector<float>(factor);
        for (; i <= source.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (new Vector<float>(target[i..]) + (factors * new Vector<float>(source[i..]))).CopyTo(target[i..]);
        }

        for (; i < source.Length; i++)
        {
            target[i] += factor * source[i];
        }
    }

    /// <summary>
    /// Adds to a matrix, row by row in parallel, what fine-tuning might: a product of low rank whose singular values fall as 1/(k + 1), and noise.
    /// </summary>
    public static void AddFineTuning(float[] weight, int columns, int rank, float productScale, float noiseScale, int seed)
    {
        int rows = weight.Length / columns;
        float[] left = new float[rows * rank], right = new float[rank * columns];
        AddNoise(new Random(unchecked(seed * 7)), 1, left);
        AddNoise(new Random(unchecked((seed * 7) + 1)), productScale, right);
        Parallel.For(0, rows, row =>
        {
            Span<float> target = weight.AsSpan(row * columns, columns);
            for (int k = 0; k < rank; k++)
            {
                AddScaled(left[(row * rank) + k] / (k + 1), right.AsSpan(k * columns, columns), target);
            }

            AddNoise(new Random(unchecked((seed * 40503) + row)), noiseScale, target);
        });
    }
}
