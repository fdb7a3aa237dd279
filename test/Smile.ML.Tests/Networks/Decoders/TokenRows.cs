using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Networks.Decoders;

/// <summary>Makes a model's inputs of sequences of tokens.</summary>
internal static class TokenRows
{
    /// <summary>One sequence, without padding.</summary>
    public static Dictionary<string, HostTensor> Single(params int[] tokens)
        => new() { ["input_ids"] = HostTensor.FromIntegers([1, tokens.Length], [.. tokens.Select(token => (long)token)]) };

    /// <summary>Sequences of different lengths, each padded with token 7 on the side that is asked for, and the mask.</summary>
    public static Dictionary<string, HostTensor> Padded(params (int[] Tokens, bool Left)[] rows)
    {
        int length = rows.Max(row => row.Tokens.Length);
        var ids = new long[rows.Length * length];
        var mask = new long[ids.Length];
        Array.Fill(ids, 7);
        for (int row = 0; row < rows.Length; row++)
        {
            int start = (row * length) + (rows[row].Left ? length - rows[row].Tokens.Length : 0);
            for (int i = 0; i < rows[row].Tokens.Length; i++)
            {
                ids[start + i] = rows[row].Tokens[i];
                mask[start + i] = 1;
            }
        }

        return new Dictionary<string, HostTensor>
        {
            ["input_ids"] = HostTensor.FromIntegers([rows.Length, length], ids),
            ["attention_mask"] = HostTensor.FromIntegers([rows.Length, length], mask),
        };
    }

    /// <summary>Random tokens below 50.</summary>
    public static int[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(50))];
    }
}
