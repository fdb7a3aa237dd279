namespace Smile.ML.Fusion.Merging;

/// <summary>What a merge did.</summary>
public sealed record MergeReport
{
    /// <summary>Gets the method with its parameters, as <see cref="MergeMethods.Parse"/> reads it.</summary>
    public required string Method { get; init; }

    /// <summary>Gets the names of the merged experts.</summary>
    public required IReadOnlyList<string> Experts { get; init; }

    /// <summary>Gets the number of parameters of the merged model, which is the pretrained model's.</summary>
    public required long Parameters { get; init; }

    /// <summary>Gets the time that it took.</summary>
    public required TimeSpan Elapsed { get; init; }
}
