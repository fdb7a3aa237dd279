using Microsoft.ML.Data;

namespace Smile.ML.Examples.Demo;

/// <summary>What a prediction engine takes from the scored row: the head of the task "plain".</summary>
public sealed class TaskPrediction
{
    /// <summary>Gets or sets the predicted class as a key: 1 for the first class.</summary>
    [ColumnName("plain.PredictedLabel")]
    public uint PlainLabel { get; set; }

    /// <summary>Gets or sets the classes' probabilities.</summary>
    [ColumnName("plain.Score")]
    public float[] PlainScore { get; set; } = [];
}
