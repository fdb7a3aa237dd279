using System.Numerics;

namespace Smile.ML.Fusion;

/// <summary>The product of two thin matrices, scale * left right, in managed memory.</summary>
/// <param name="left">[rows, rank], row by row.</param>
/// <param name="right">[rank, columns], row by row.</param>
/// <param name="rows">The product's rows.</param>
/// <param name="rank">The factors' common dimension.</param>
/// <param name="columns">The product's columns.</param>
/// <param name="scale">The factor before the product.</param>
internal sealed class LowRankFactors(float[] left, float[] right, int rows, int rank, int columns, double scale)
{
    // Sums run over this many columns at a time, which stay in the first-level cache with the rows of the right factor.
    private const int Strip = 1024;

    public float[] Left => left;

    public float[] Right => right;

    public int Rows => rows;

    public int Rank => rank;

    public int Columns => columns;

    public double Scale => scale;

    /// <summary>Adds consecutive elements of the product to values.</summary>
    /// <param name="start">Index of the first element in row-major order.</param>
    /// <param name="values">What to add to; its length says how many elements.</param>
    public void AddTo(long start, Span<float> values)
    {
        Span<float> sum = stackalloc float[Strip];
        while (!values.IsEmpty)
        {
            int row = checked((int)(start / columns));
            int column = (int)(start % columns);
            int count = Math.Min(Math.Min(values.Length, Strip), columns - column);
            Span<float> delta = sum[..count];
            delta.Clear();
            for (int k = 0; k < rank; k++)
            {
                AddScaled(left[((long)row * rank) + k], right.AsSpan((k * columns) + column, count), delta);
            }

            AddScaled((float)scale, delta, values);
            values = values[count..];
            start += count;
        }
    }

    private static void AddScaled(float factor, ReadOnlySpan<float> source, Span<float> destination)
    {
        var factors = new Vector<float>(factor);
        int i = 0;
        for (; i <= source.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.FusedMultiplyAdd(factors, new Vector<float>(source[i..]), new Vector<float>(destination[i..])).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = MathF.FusedMultiplyAdd(factor, source[i], destination[i]);
        }
    }
}
