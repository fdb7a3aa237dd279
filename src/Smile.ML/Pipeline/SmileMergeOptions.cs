using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML;

/// <summary>How an ML.NET pipeline merges a pool, whatever the method, and how the merged model scores.</summary>
public sealed class SmileMergeOptions : SmileScoringOptions
{
    /// <inheritdoc cref="MergeOptions.Precision"/>
    public StoredPrecision Precision { get; set; }

    /// <inheritdoc cref="SmileOptions.ModelFolder"/>
    public string? ModelFolder { get; set; }

    /// <summary>Gathers how to merge.</summary>
    /// <exception cref="SmileException">An option is out of range.</exception>
    internal MergeOptions CreateMergeOptions()
    {
        var merge = new MergeOptions { Precision = Precision, Threads = Threads };
        merge.Validate();
        return merge;
    }
}
