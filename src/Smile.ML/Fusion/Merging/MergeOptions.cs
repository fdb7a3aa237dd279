using Smile.ML.Compute;

namespace Smile.ML.Fusion.Merging;

/// <summary>How a merged model is computed and written, whatever the method.</summary>
public sealed record MergeOptions
{
    /// <summary>
    /// Gets the element types of the result; with <see cref="StoredPrecision.Keep"/> each tensor has the type that it has in the
    /// pretrained model.
    /// </summary>
    public StoredPrecision Precision { get; init; }

    /// <summary>Gets the threads to work with, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; init; }

    /// <summary>Checks the options.</summary>
    /// <exception cref="SmileException">One is out of range.</exception>
    internal void Validate()
    {
        Precision.Validate();
        ThreadCount.Validate(Threads);
    }
}
