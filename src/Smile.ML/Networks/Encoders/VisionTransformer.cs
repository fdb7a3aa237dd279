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
    SequenceHeads heads) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
        [new NetworkPort("pixel_values", TensorType.F32, [geometry.Channels, geometry.ImageSize, geometry.ImageSize])];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. heads.Outputs,
        new NetworkPort("last_hidden_state", TensorType.F32, [embeddings.Tokens, hiddenSize]),
        .. heads.OwnOutputs,
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
        heads.Forward(pass, classTokens, wanted, outputs);
        return outputs;
    }
}
