namespace Smile.ML.Examples.Demo;

/// <summary>One row of the data: an image as the network takes it.</summary>
public sealed class TaskImage
{
    /// <summary>Gets or sets the task's name.</summary>
    public string Task { get; set; } = "";

    /// <summary>Gets or sets the class.</summary>
    public long Label { get; set; }

    /// <summary>Gets or sets channels x height x width values from -1 to 1.</summary>
    public float[] Pixels { get; set; } = [];
}
