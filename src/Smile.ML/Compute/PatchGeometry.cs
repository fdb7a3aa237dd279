namespace Smile.ML.Compute;

/// <summary>How square images are cut into patches that don't overlap.</summary>
/// <param name="Channels">Image channels.</param>
/// <param name="ImageSize">Height and width in pixels.</param>
/// <param name="PatchSize">Height and width of a patch in pixels; divides the image size.</param>
internal readonly record struct PatchGeometry(int Channels, int ImageSize, int PatchSize)
{
    /// <summary>Gets the patches along one side.</summary>
    public int Side => ImageSize / PatchSize;

    /// <summary>Gets the patches of one image.</summary>
    public int Patches => Side * Side;

    /// <summary>Gets the values of one image.</summary>
    public int ImageLength => Channels * ImageSize * ImageSize;

    /// <summary>Gets the values of one patch.</summary>
    public int PatchLength => Channels * PatchSize * PatchSize;
}
