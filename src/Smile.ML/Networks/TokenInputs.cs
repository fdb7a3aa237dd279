using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>Reads ids and masks from a network's inputs, which are already checked against its ports.</summary>
internal static class TokenInputs
{
    /// <summary>Reads ids.</summary>
    /// <param name="inputs">The inputs by name.</param>
    /// <param name="name">The input's name, [batch, tokens].</param>
    /// <param name="count">The number of ids there are.</param>
    /// <param name="countName">What config.json calls this number.</param>
    /// <returns>The ids, one sequence after the other.</returns>
    /// <exception cref="SmileException">An id is negative or not below <paramref name="count"/>.</exception>
    public static int[] ReadIds(this IReadOnlyDictionary<string, HostTensor> inputs, string name, int count, string countName = "vocab_size")
    {
        HostTensor tensor = inputs[name];
        long[] values = tensor.Integers!;
        var ids = new int[values.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            ids[i] = values[i] >= 0 && values[i] < count
                ? (int)values[i]
                : throw new SmileException(
                    $"Input {name} holds {values[i]} at [{i / tensor.Shape[1]}, {i % tensor.Shape[1]}]; expected ids from 0 to {count - 1} ({countName} is {count}).");
        }

        return ids;
    }

    /// <summary>Reads the sequences that an input of ids holds, with the mask that tells their padding.</summary>
    /// <param name="inputs">The inputs by name.</param>
    /// <param name="name">The ids' name, [batch, tokens].</param>
    /// <param name="maskName">The mask's name, of the same shape, 1 for a token and 0 for padding; may be absent.</param>
    /// <exception cref="SmileException">The mask is of another shape than the ids, or holds something else.</exception>
    public static TokenBatch ReadBatch(this IReadOnlyDictionary<string, HostTensor> inputs, string name, string maskName = "attention_mask")
    {
        HostTensor ids = inputs[name];
        var batch = new TokenBatch((int)ids.Shape[0], (int)ids.Shape[1]);
        if (!inputs.TryGetValue(maskName, out HostTensor? mask))
        {
            return batch;
        }

        RequireSameLength(mask, maskName, ids, name);
        var visible = new byte[ids.Integers!.Length];
        for (int i = 0; i < visible.Length; i++)
        {
            visible[i] = mask.Integers![i] is 0 or 1
                ? (byte)mask.Integers[i]
                : throw new SmileException($"Input {maskName} holds {mask.Integers[i]} at [{i / batch.Length}, {i % batch.Length}]; expected 0 or 1.");
        }

        return batch with { Mask = visible };
    }

    /// <summary>Checks that two inputs have the same number of tokens.</summary>
    /// <exception cref="SmileException">They don't.</exception>
    public static void RequireSameLength(HostTensor tensor, string name, HostTensor ids, string idsName)
    {
        if (tensor.Shape[1] != ids.Shape[1])
        {
            throw new SmileException($"Input {name} has {tensor.Shape[1]} tokens per sequence; expected {ids.Shape[1]}, as in {idsName}.");
        }
    }
}
