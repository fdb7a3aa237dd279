using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion;

/// <summary>The singular triplets of one expert's delta, as the routed layer takes them.</summary>
/// <param name="svd">The leading triplets of D [outputs, inputs].</param>
/// <param name="magnitude">The largest magnitude of an element of D, or a bound above it.</param>
/// <param name="expertRank">k; null for a dense expert, which only needs router rows.</param>
/// <param name="routerRank">k_gate.</param>
internal sealed class LayerFactors(TruncatedSvd svd, float magnitude, int? expertRank, int routerRank) : IDisposable
{
    /// <summary>Gets the largest magnitude of an element of D, or a bound above it.</summary>
    public float Magnitude => magnitude;

    /// <summary>Gets the rank of the low-rank expert: k, or the delta's numerical rank where that is smaller.</summary>
    public int Rank { get; } = Math.Min(expertRank ?? 0, svd.Rank);

    /// <summary>U_k [outputs, rank].</summary>
    public Matrix U()
    {
        Matrix u = Matrix.Uninitialized(svd.LeftTransposed.Columns, Rank);
        Span<float> values = u.Span;
        for (int i = 0; i < Rank; i++)
        {
            ReadOnlySpan<float> column = svd.LeftTransposed.Row(i);
            for (int row = 0; row < column.Length; row++)
            {
                values[(row * Rank) + i] = column[row];
            }
        }

        return u;
    }

    /// <summary>S_k V_k^T [rank, inputs].</summary>
    public Matrix Svh()
    {
        Matrix svh = Matrix.Uninitialized(Rank, svd.RightTransposed.Columns);
        for (int i = 0; i < Rank; i++)
        {
            float s = (float)svd.SingularValues[i];
            ReadOnlySpan<float> v = svd.RightTransposed.Row(i);
            Span<float> row = svh.Row(i);
            for (int j = 0; j < row.Length; j++)
            {
                row[j] = s * v[j];
            }
        }

        return svh;
    }

    /// <summary>Copies the first k_gate rows of V^T, unscaled; rows beyond the numerical rank are left as they are.</summary>
    /// <param name="rows">The rows of all experts' routers [.., inputs].</param>
    /// <param name="first">The first of this expert's.</param>
    public void CopyRouterRows(Matrix rows, int first)
    {
        for (int i = 0; i < Math.Min(routerRank, svd.Rank); i++)
        {
            svd.RightTransposed.Row(i).CopyTo(rows.Row(first + i));
        }
    }

    public void Dispose() => svd.Dispose();
}
