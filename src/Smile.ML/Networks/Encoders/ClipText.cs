using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>CLIP's causal text transformer with projection, in the semantics of Hugging Face's CLIPTextModelWithProjection.</summary>
internal sealed class ClipText(
    int vocabulary,
    int endToken,
    int hiddenSize,
    Embedding words,
    Embedding positions,
    PositionNumbering numbering,
    IReadOnlyList<PreNormLayer> layers,
    LayerNorm after,
    Linear? projection) : Network
{
    /// <summary>
    /// The end token of configs from before Hugging Face wrote CLIP's own there. A sequence then ends at its highest id, which is the end
    /// token's in CLIP's vocabulary.
    /// </summary>
    private const int LegacyEndToken = 2;

    public override IReadOnlyList<NetworkPort> Inputs { get; } =
    [
        new NetworkPort("input_ids", TensorType.I64, [-1]),
        new NetworkPort("attention_mask", TensorType.I64, [-1], IsOptional: true),
    ];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. projection is null ? [] : new[] { new NetworkPort("text_embeds", TensorType.F32, [projection.Outputs]) },
        new NetworkPort("pooler_output", TensorType.F32, [hiddenSize]),
        new NetworkPort("last_hidden_state", TensorType.F32, [-1, hiddenSize]),
    ];

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        TokenBatch batch = inputs.ReadBatch("input_ids");
        int[] ids = inputs.ReadIds("input_ids", vocabulary);
        int[] ends = EndRows(ids, batch);
        using Tensor hidden = words.Forward(pass, ids);
        using (Tensor placed = positions.Forward(pass, numbering.Of(ids, batch)))
        {
            pass.Backend.Add(hidden, placed);
        }

        foreach (PreNormLayer layer in layers)
        {
            layer.Forward(pass, hidden, batch, causal: true);
        }

        using Tensor normal = after.Forward(pass, hidden);
        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(normal, batch.Count, batch.Length, hiddenSize);
        }

        using Tensor pooled = pass.Gather(normal, ends);
        if (wanted.Contains("pooler_output"))
        {
            outputs["pooler_output"] = pass.Download(pooled, batch.Count, hiddenSize);
        }

        if (projection is not null && wanted.Contains("text_embeds"))
        {
            using Tensor embeds = projection.Forward(pass, pooled);
            outputs["text_embeds"] = pass.Download(embeds, batch.Count, projection.Outputs);
        }

        return outputs;
    }

    /// <summary>The row of the token at which each sequence ends.</summary>
    private int[] EndRows(ReadOnlySpan<int> ids, TokenBatch batch)
    {
        var rows = new int[batch.Count];
        for (int i = 0; i < rows.Length; i++)
        {
            ReadOnlySpan<int> sequence = ids.Slice(i * batch.Length, batch.Length);
            int end = sequence.IndexOf(endToken == LegacyEndToken ? Highest(sequence) : endToken);
            rows[i] = end >= 0
                ? (i * batch.Length) + end
                : throw new SmileException($"Input input_ids has no end token in sequence {i}; expected the id {endToken} (eos_token_id).");
        }

        return rows;
    }

    private static int Highest(ReadOnlySpan<int> ids)
    {
        int highest = ids[0];
        foreach (int id in ids)
        {
            highest = Math.Max(highest, id);
        }

        return highest;
    }
}
