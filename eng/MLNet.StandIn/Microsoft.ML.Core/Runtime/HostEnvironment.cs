namespace Microsoft.ML.Runtime;

/// <summary>What the root environment and its hosts share.</summary>
internal abstract class HostEnvironment(int? seed, Random random) : IHost, IHostEnvironmentInternal, ICancelable
{
    private readonly Lock _lock = new();

    public Random Rand => random;

    /// <summary>The MLContext's.</summary>
    public int? Seed => seed;

    // As in ML.NET, a host gets what its parent has here when it is registered, and sees no later change.
    public string TempFilePath { get; set; } = Path.GetTempPath();

    public bool FallbackToCpu { get; set; }

    public int? GpuDeviceId { get; set; }

    public abstract ComponentCatalog ComponentCatalog { get; }

    public abstract bool IsCanceled { get; }

    public string ContextDescription => "HostEnvironment";

    /// <summary>What the channels' names begin with; empty for the root.</summary>
    protected abstract string Name { get; }

    public abstract void CancelExecution();

    public abstract void Send(string source, ChannelMessage message);

    public IHost Register(string name, int? seed = null, bool? verbose = null)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        lock (_lock)
        {
            return new Host(this, name, new Random(seed ?? random.Next()))
            {
                TempFilePath = TempFilePath,
                FallbackToCpu = FallbackToCpu,
                GpuDeviceId = GpuDeviceId,
            };
        }
    }

    public IChannel Start(string name) => new Channel(this, Name.Length == 0 ? name : $"{Name}; {name}");

    public IProgressChannel StartProgressChannel(string name) => new ProgressChannel(name);

    public TException Process<TException>(TException ex)
        where TException : Exception
        => ex;
}
