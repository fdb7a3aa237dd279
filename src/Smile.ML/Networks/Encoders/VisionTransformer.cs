using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// The vision transformer in the semantics of Hugging Face's ViTForImageClassification (with a classifier) and ViTModel (with a pooler).
/// </summary>
internal sealed class VisionTransformer(
    PatchGeometry geometry,
    int hiddenSize,
    ImageEmbeddings embeddings,
    IReadOnlyList<PreNormLayer> layers,
    LayerNorm after,
    Pooler? pooler,
    Linear? classifier) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
        [new NetworkPort("pixel_values", TensorType.F32, [geometry.Channels, geometry.ImageSize, geometry.ImageSize])];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. classifier is null ? [] : new[] { new NetworkPort("logits", TensorType.F32, [classifier.Outputs]) },
        .. pooler is null ? [] : new[] { new NetworkPort("pooler_output", TensorType.F32, [pooler.Outputs]) },
        new NetworkPort("last_hidden_state", TensorType.F32, [embeddings.Tokens, hiddenSize]),
    ];

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        using Tensor images = pass.Upload(inputs["pixel_values"], geometry.ImageLength);
        var batch = new TokenBatch(images.Rows, embeddings.Tokens);
        using Tensor hidden = embeddings.Forward(pass, images);
        foreach (PreNormLayer layer in layers)
        {
            layer.Forward(pass, hidden, batch);
        }

        using Tensor normal = after.Forward(pass, hidden);
        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(normal, batch.Count, batch.Length, hiddenSize);
        }

        using Tensor classTokens = pass.Gather(normal, batch.FirstRows());
        if (pooler is not null && wanted.Contains("pooler_output"))
        {
            using Tensor pooled = pooler.Forward(pass, classTokens);
            outputs["pooler_output"] = pass.Download(pooled, batch.Count, pooler.Outputs);
        }

        if (classifier is not null && wanted.Contains("logits"))
        {
            using Tensor logits = classifier.Forward(pass, classTokens);
            outputs["logits"] = pass.Download(logits, batch.Count, classifier.Outputs);
        }

        return outputs;
    }
}
