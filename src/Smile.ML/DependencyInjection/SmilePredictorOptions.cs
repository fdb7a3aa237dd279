namespace Smile.ML.DependencyInjection;

/// <summary>Which model a predictor serves, where, and how it gathers concurrent requests into batches.</summary>
public sealed class SmilePredictorOptions
{
    /// <summary>Gets or sets the model's folder: a fused one, or any checkpoint of a supported architecture. Required.</summary>
    public string ModelFolder { get; set; } = "";

    /// <summary>Gets or sets the folder with one safetensors file per task head; null for a model without heads.</summary>
    public string? HeadsFolder { get; set; }

    /// <summary>Gets or sets where the model runs: <c>cpu</c>, or <c>cuda</c> or <c>cuda:N</c> where Smile.ML.Cuda is referenced.</summary>
    public string Device { get; set; } = "cpu";

    /// <summary>Gets or sets the threads to compute with on the CPU, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; set; }

    /// <summary>Gets or sets the most rows that are run together, 1 to 65536; also the most that one request may hold. 32 by default.</summary>
    public int MaxBatchSize { get; set; } = 32;

    /// <summary>
    /// Gets or sets how long a request may wait for others to share its batch, zero to one minute; 1 ms by default. With zero, a batch is
    /// what arrived while the one before it ran.
    /// </summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// Gets or sets how many requests may wait, at least 1; 1024 by default. One more is refused with a <see cref="SmileOverloadException"/>.
    /// </summary>
    public int QueueCapacity { get; set; } = 1024;

    /// <summary>
    /// Gets or sets how many generations run at the same time, 1 to 1024; 4 by default. Others wait, as many as <see cref="QueueCapacity"/>
    /// allows. Each of them holds the keys and values of its sequences in memory.
    /// </summary>
    public int MaxGenerations { get; set; } = 4;

    /// <summary>Gets or sets whether the model is loaded again when files of its folder or of the heads' folder change. Off by default.</summary>
    public bool ReloadOnChange { get; set; }

    /// <summary>
    /// Gets or sets how often the folders are looked at, 10 ms to one day; 2 s by default. Files must have been unchanged for one interval
    /// before they are loaded. Looking, unlike file system events, also sees replaced links, mounted volumes and network shares.
    /// </summary>
    public TimeSpan ReloadInterval { get; set; } = TimeSpan.FromSeconds(2);
}
