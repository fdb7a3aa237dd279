using Smile.ML.Compute;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>
/// T5's bias on attention scores (arXiv 1910.10683, section 2.1): one learned value per head and bucket of distances between key and
/// query. Half of a direction's buckets hold one distance each, the others grow logarithmically up to the largest distance.
/// </summary>
/// <param name="table">[buckets, heads].</param>
/// <param name="buckets">Number of buckets.</param>
/// <param name="bidirectional">Whether keys behind the query have buckets of their own, half of all; else they share distance 0's.</param>
/// <param name="maxDistance">The distance from which on all fall into one bucket.</param>
internal sealed class RelativePositionBias(Tensor table, int buckets, bool bidirectional, int maxDistance)
{
    /// <summary>Spreads the bias over a matrix of scores.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="firstQuery">The first query's position.</param>
    /// <param name="queries">Number of queries, at consecutive positions.</param>
    /// <param name="keys">Number of keys, from position 0 on.</param>
    /// <returns>[heads * queries, keys]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, int firstQuery, int queries, int keys)
    {
        var rows = new int[queries + keys - 1];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = Bucket(i - (queries - 1) - firstQuery, buckets, bidirectional, maxDistance);
        }

        Tensor bias = pass.Backend.Rent(checked(table.Columns * queries), keys);
        pass.Backend.SpreadDiagonals(table, rows, bias);
        return bias;
    }

    /// <summary>Gets the bucket of a distance, with float32 logarithms as in Hugging Face's implementation.</summary>
    /// <param name="distance">The key's position minus the query's.</param>
    /// <param name="buckets">Number of buckets.</param>
    /// <param name="bidirectional">Whether keys behind the query have half of the buckets.</param>
    /// <param name="maxDistance">The distance from which on all fall into one bucket.</param>
    internal static int Bucket(int distance, int buckets, bool bidirectional, int maxDistance)
    {
        int first = 0;
        if (bidirectional)
        {
            buckets /= 2;
            first = distance > 0 ? buckets : 0;
            distance = Math.Abs(distance);
        }
        else
        {
            distance = -Math.Min(distance, 0);
        }

        int exact = buckets / 2;
        if (distance < exact)
        {
            return first + distance;
        }

        float fraction = MathF.Log((float)distance / exact) / (float)Math.Log((double)maxDistance / exact);
        return first + Math.Min(buckets - 1, exact + (int)(fraction * (buckets - exact)));
    }
}
