namespace Smile.ML.Examples.QuickStart;

/// <summary>What the pipeline makes of an image.</summary>
public sealed class DigitPrediction
{
    /// <summary>Gets or sets the digit.</summary>
    public long Label { get; set; }

    /// <summary>Gets or sets the digit that the head <c>plain</c> takes it for.</summary>
    public string Predicted { get; set; } = "";
}
