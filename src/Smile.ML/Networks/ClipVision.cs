using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>CLIP's vision transformer with projection, in the semantics of Hugging Face's CLIPVisionModelWithProjection.</summary>
internal sealed class ClipVision(
    PatchGeometry geometry,
    int hiddenSize,
    ClipVision.Embeddings embeddings,
    LayerNorm before,
    IReadOnlyList<ClipEncoderLayer> layers,
    LayerNorm after,
    Linear? projection) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
        [new NetworkPort("pixel_values", TensorType.F32, [geometry.Channels, geometry.ImageSize, geometry.ImageSize])];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. projection is null ? [] : new[] { new NetworkPort("image_embeds", TensorType.F32, [projection.Outputs]) },
        new NetworkPort("pooler_output", TensorType.F32, [hiddenSize]),
        new NetworkPort("last_hidden_state", TensorType.F32, [geometry.Patches + 1, hiddenSize]),
    ];

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        using Tensor images = pass.Upload(inputs["pixel_values"], geometry.ImageLength);
        int batch = images.Rows;
        using Tensor hidden = Embed(pass, images);
        foreach (ClipEncoderLayer layer in layers)
        {
            layer.Forward(pass, hidden, batch);
            pass.Activations?.OnBlockOutput(pass.Backend, hidden, images.Rows);
        }

        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(hidden, batch, geometry.Patches + 1, hiddenSize);
        }

        using Tensor classTokens = pass.Backend.Rent(batch, hiddenSize);
        pass.Backend.GatherRows(hidden, ClassRows(batch), classTokens);
        using Tensor pooled = after.Forward(pass, classTokens);
        if (wanted.Contains("pooler_output"))
        {
            outputs["pooler_output"] = pass.Download(pooled, batch, hiddenSize);
        }

        if (projection is not null && wanted.Contains("image_embeds"))
        {
            using Tensor embeds = projection.Forward(pass, pooled);
            outputs["image_embeds"] = pass.Download(embeds, batch, projection.Outputs);
        }

        return outputs;
    }

    /// <summary>The class token and the patches of every image, with their positions, normalised: [batch * (1 + patches), hidden].</summary>
    private Tensor Embed(ForwardPass pass, Tensor images)
    {
        int batch = images.Rows;
        using Tensor patches = pass.Backend.Rent(batch * geometry.Patches, geometry.PatchLength);
        pass.Backend.ExtractPatches(images, geometry, patches);
        using Tensor embedded = embeddings.Patch.Forward(pass, patches);
        using Tensor tokens = pass.Backend.Rent(batch * (geometry.Patches + 1), hiddenSize);
        pass.Backend.ScatterRows(embeddings.ClassToken, ClassRows(batch), tokens);
        pass.Backend.ScatterRows(embedded, PatchRows(batch), tokens);
        pass.Backend.Add(tokens, embeddings.Positions);
        return before.Forward(pass, tokens);
    }

    private int[] ClassRows(int batch) => [.. Enumerable.Range(0, batch).Select(image => image * (geometry.Patches + 1))];

    private int[] PatchRows(int batch)
        => [.. Enumerable.Range(0, batch * geometry.Patches).Select(patch => patch + (patch / geometry.Patches) + 1)];

    /// <summary>What turns an image into tokens.</summary>
    /// <param name="ClassToken">[1, hidden].</param>
    /// <param name="Patch">The patch convolution.</param>
    /// <param name="Positions">[1 + patches, hidden].</param>
    internal sealed record Embeddings(Tensor ClassToken, Linear Patch, Tensor Positions);
}
