using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>The network's output as a column: as it is, or one vector made of the tokens'.</summary>
internal sealed class OutputColumn
{
    /// <summary>Chooses an output.</summary>
    /// <exception cref="SmileException">There are no vectors per token to make one of.</exception>
    public OutputColumn(NetworkPort port, TokenPooling? pooling)
    {
        if (pooling is { } kind && (port.Shape.Count != 2 || !Enum.IsDefined(kind)))
        {
            throw new SmileException($"{nameof(SmileOptions.Pooling)} is {pooling}; the network's output is {port.Describe()}, not a vector per token.");
        }

        (Port, Pooling) = (port, pooling);
        NetworkPort row = pooling is null ? port : port with { Shape = [port.Shape[1]] };
        Type = row.VectorType();
        Size = row.Shape.Contains(-1) ? null : row.FixedSize();
    }

    /// <summary>Gets the network's output.</summary>
    public NetworkPort Port { get; }

    /// <summary>Gets how one vector is made of the tokens'; null where the output is taken as it is.</summary>
    public TokenPooling? Pooling { get; }

    /// <summary>Gets the column's type.</summary>
    public VectorDataViewType Type { get; }

    /// <summary>Gets the values of a row; null where they vary.</summary>
    public int? Size { get; }

    /// <summary>Gets a row's values of a batch's output.</summary>
    /// <param name="output">[batch, shape].</param>
    /// <param name="index">The row.</param>
    /// <param name="tokens">The row's tokens, the first ones, where the output is per token and some rows have fewer than the batch; else null.</param>
    /// <param name="mask">0 for the tokens that don't count; empty where all do.</param>
    /// <exception cref="SmileException">No token is left to make a vector of.</exception>
    public ReadOnlyMemory<float> Read(HostTensor output, int index, int? tokens, ReadOnlySpan<long> mask)
    {
        int stride = output.Floats!.Length / (int)output.Shape[0];
        int features = (int)output.Shape[^1];
        ReadOnlyMemory<float> row = output.Floats.AsMemory(index * stride, tokens * features ?? stride);
        if (Pooling is not { } pooling)
        {
            return row;
        }

        int[] visible = [.. Visible(row.Length / features, mask)];
        if (visible.Length == 0)
        {
            throw new SmileException($"attention_mask masks every token of a row; expected at least one to make a vector of the network's {Port.Name}.");
        }

        return pooling switch
        {
            TokenPooling.FirstToken => row.Slice(visible[0] * features, features),
            TokenPooling.LastToken => row.Slice(visible[^1] * features, features),
            _ => Average(row.Span, visible, features),
        };
    }

    private static IEnumerable<int> Visible(int tokens, ReadOnlySpan<long> mask)
    {
        long[] seen = mask.ToArray();
        return Enumerable.Range(0, tokens).Where(token => seen.Length == 0 || seen[token] != 0);
    }

    private static float[] Average(ReadOnlySpan<float> vectors, int[] tokens, int features)
    {
        var sums = new double[features];
        foreach (int token in tokens)
        {
            for (int i = 0; i < features; i++)
            {
                sums[i] += vectors[(token * features) + i];
            }
        }

        return Array.ConvertAll(sums, sum => (float)(sum / tokens.Length));
    }
}
