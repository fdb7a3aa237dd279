using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Networks;

/// <summary>Inputs of token sequences, and rows of outputs.</summary>
internal static class TokenBatches
{
    /// <summary>Sequences padded on the right, with their mask.</summary>
    public static Dictionary<string, HostTensor> Padded(int[][] sequences, int padding)
    {
        int length = sequences.Max(sequence => sequence.Length);
        return new Dictionary<string, HostTensor>
        {
            ["input_ids"] = Integers([.. sequences.Select(sequence => Fill(sequence, length, padding))]),
            ["attention_mask"] = Integers([.. sequences.Select(sequence => Fill([.. sequence.Select(_ => 1)], length, 0))]),
        };
    }

    /// <summary>A matrix of ids.</summary>
    public static HostTensor Integers(params int[][] rows)
        => HostTensor.FromIntegers([rows.Length, rows[0].Length], [.. rows.SelectMany(row => row).Select(id => (long)id)]);

    /// <summary>The first tokens of one sequence in an output [batch, tokens, features], or its only vector in [batch, features].</summary>
    public static float[] Rows(this HostTensor output, int sequence, int tokens = 1)
    {
        int stride = output.Floats!.Length / (int)output.Shape[0];
        return output.Floats.AsSpan(sequence * stride, tokens * (int)output.Shape[^1]).ToArray();
    }

    private static int[] Fill(int[] values, int length, int fill) => [.. values, .. Enumerable.Repeat(fill, length - values.Length)];
}
