using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>Turns images into tokens: a class token, then the patches, with learned positions.</summary>
/// <param name="geometry">How an image is cut.</param>
/// <param name="classToken">[1, hidden].</param>
/// <param name="patch">The patch convolution.</param>
/// <param name="positions">[1 + patches, hidden].</param>
internal sealed class ImageEmbeddings(PatchGeometry geometry, Tensor classToken, Linear patch, Tensor positions)
{
    /// <summary>Gets the tokens of one image.</summary>
    public int Tokens => geometry.Patches + 1;

    /// <summary>Embeds images.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="images">[batch, channels * size * size].</param>
    /// <returns>[batch * (1 + patches), hidden]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor images)
    {
        using Tensor patches = pass.Backend.Rent(images.Rows * geometry.Patches, geometry.PatchLength);
        pass.Backend.ExtractPatches(images, geometry, patches);
        using Tensor embedded = patch.Forward(pass, patches);
        Tensor tokens = pass.Backend.Rent(checked(images.Rows * Tokens), patch.Outputs);
        pass.Backend.ScatterRows(classToken, new TokenBatch(images.Rows, Tokens).FirstRows(), tokens);
        pass.Backend.ScatterRows(embedded, PatchRows(images.Rows), tokens);
        pass.Backend.Add(tokens, positions);
        return tokens;
    }

    private int[] PatchRows(int batch)
    {
        var rows = new int[batch * geometry.Patches];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = i + (i / geometry.Patches) + 1;
        }

        return rows;
    }
}
