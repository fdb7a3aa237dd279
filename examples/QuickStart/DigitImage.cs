using Microsoft.ML.Data;

namespace Smile.ML.Examples.QuickStart;

/// <summary>An image as the network takes it.</summary>
public sealed class DigitImage
{
    /// <summary>Gets or sets 3 x 32 x 32 values from -1 to 1.</summary>
    [VectorType(3 * 32 * 32)]
    public float[] Pixels { get; set; } = [];

    /// <summary>Gets or sets the digit.</summary>
    public long Label { get; set; }
}
