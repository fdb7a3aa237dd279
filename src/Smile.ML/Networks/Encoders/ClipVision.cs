using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>CLIP's vision transformer with projection, in the semantics of Hugging Face's CLIPVisionModelWithProjection.</summary>
internal sealed class ClipVision(
    PatchGeometry geometry,
    int hiddenSize,
    ImageEmbeddings embeddings,
    LayerNorm before,
    IReadOnlyList<PreNormLayer> layers,
    LayerNorm after,
    Linear? projection) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
        [new NetworkPort("pixel_values", TensorType.F32, [geometry.Channels, geometry.ImageSize, geometry.ImageSize])];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. projection is null ? [] : new[] { new NetworkPort("image_embeds", TensorType.F32, [projection.Outputs]) },
        new NetworkPort("pooler_output", TensorType.F32, [hiddenSize]),
        new NetworkPort("last_hidden_state", TensorType.F32, [embeddings.Tokens, hiddenSize]),
    ];

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        using Tensor images = pass.Upload(inputs["pixel_values"], geometry.ImageLength);
        var batch = new TokenBatch(images.Rows, embeddings.Tokens);
        using Tensor tokens = embeddings.Forward(pass, images);
        using Tensor hidden = before.Forward(pass, tokens);
        foreach (PreNormLayer layer in layers)
        {
            layer.Forward(pass, hidden, batch);
        }

        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(hidden, batch.Count, batch.Length, hiddenSize);
        }

        using Tensor classTokens = pass.Gather(hidden, batch.FirstRows());
        using Tensor pooled = after.Forward(pass, classTokens);
        if (wanted.Contains("pooler_output"))
        {
            outputs["pooler_output"] = pass.Download(pooled, batch.Count, hiddenSize);
        }

        if (projection is not null && wanted.Contains("image_embeds"))
        {
            using Tensor embeds = projection.Forward(pass, pooled);
            outputs["image_embeds"] = pass.Download(embeds, batch.Count, projection.Outputs);
        }

        return outputs;
    }
}
