namespace Smile.ML.Compute;

/// <summary>Where and with how many threads a model runs.</summary>
public sealed record ComputeOptions
{
    /// <summary>Gets the device: <c>cpu</c>, or <c>cuda</c> or <c>cuda:N</c> where Smile.ML.Cuda is referenced.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Gets the threads to compute with on the CPU, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; init; }
}
