using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion.Merging;

/// <summary>Vectors and values of a sum of s_i u_i v_i^T, collected from several decompositions.</summary>
/// <param name="rows">The length of a left vector.</param>
/// <param name="columns">The length of a right vector.</param>
/// <param name="capacity">The most triplets that will be added.</param>
internal sealed class SingularTriplets(int rows, int columns, int capacity) : IDisposable
{
    private readonly Matrix _left = new(capacity, rows);
    private readonly Matrix _right = new(capacity, columns);
    private readonly List<double> _values = [];

    /// <summary>Gets the values, in the order in which they were added.</summary>
    public IReadOnlyList<double> Values => _values;

    /// <summary>Multiplies out sum s_i u_i v_i^T.</summary>
    /// <param name="left">The u_i as rows [r, m].</param>
    /// <param name="values">The s_i.</param>
    /// <param name="right">The v_i as rows [r, n].</param>
    /// <param name="threads">The threads to use.</param>
    /// <returns>[m, n].</returns>
    public static Matrix MultiplyOut(Matrix left, IReadOnlyList<double> values, Matrix right, WorkerPool threads)
    {
        if (values.Count == 0)
        {
            return new Matrix(left.Columns, right.Columns);
        }

        using var scaled = new Matrix(right.Rows, right.Columns);
        for (int i = 0; i < values.Count; i++)
        {
            ReadOnlySpan<float> from = right.Row(i);
            Span<float> to = scaled.Row(i);
            for (int j = 0; j < to.Length; j++)
            {
                to[j] = (float)(values[i] * from[j]);
            }
        }

        using Matrix transposed = left.Transpose();
        return Matrix.Multiply(transposed.View, scaled.View, threads);
    }

    /// <summary>Adds the first triplets of a decomposition, or all where it has fewer.</summary>
    public void Add(TruncatedSvd svd, int count)
    {
        for (int i = 0; i < Math.Min(count, svd.Rank); i++)
        {
            svd.LeftTransposed.Row(i).CopyTo(_left.Row(_values.Count));
            svd.RightTransposed.Row(i).CopyTo(_right.Row(_values.Count));
            _values.Add(svd.SingularValues[i]);
        }
    }

    /// <summary>
    /// Replaces the left and the right vectors by the orthonormal ones nearest to them (their matrices' polar factors) and multiplies out
    /// with the given values.
    /// </summary>
    /// <remarks>
    /// Of dependent vectors the polar factor is taken on their span, where it is unique: two equal experts share their direction.
    /// </remarks>
    /// <param name="values">One value per triplet.</param>
    /// <param name="threads">The threads to use.</param>
    /// <returns>[rows, columns].</returns>
    public Matrix MultiplyOutOrthogonalized(IReadOnlyList<double> values, WorkerPool threads)
    {
        if (_values.Count == 0)
        {
            return new Matrix(rows, columns);
        }

        using Matrix left = PolarFactor(_left, _values.Count, threads);
        using Matrix right = PolarFactor(_right, _values.Count, threads);
        return MultiplyOut(left, values, right, threads);
    }

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
    }

    private static Matrix PolarFactor(Matrix vectors, int count, WorkerPool threads)
    {
        using var used = new Matrix(count, vectors.Columns);
        vectors.View.Leading(count).CopyTo(used.View);
        using TruncatedSvd svd = TruncatedSvd.Compute(used, Math.Min(count, vectors.Columns), threads);
        return MultiplyOut(svd.LeftTransposed, [.. Enumerable.Repeat(1.0, svd.Rank)], svd.RightTransposed, threads);
    }
}
