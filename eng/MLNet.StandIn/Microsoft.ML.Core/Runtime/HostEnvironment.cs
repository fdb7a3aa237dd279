namespace Microsoft.ML.Runtime;

/// <summary>What the root environment and its hosts share: naming, channels and a random generator per host.</summary>
internal abstract class HostEnvironment(Random random) : IHost, IHostEnvironmentInternal, ICancelable
{
    private readonly Lock _lock = new();

    public Random Rand => random;

    public abstract ComponentCatalog ComponentCatalog { get; }

    public abstract int? Seed { get; }

    public abstract string TempFilePath { get; set; }

    public abstract bool FallbackToCpu { get; set; }

    public abstract int? GpuDeviceId { get; set; }

    public abstract bool IsCanceled { get; }

    public abstract string FullName { get; }

    public string ContextDescription => FullName;

    public abstract void CancelExecution();

    public abstract void Send(string source, ChannelMessage message);

    public IHost Register(string name, int? seed = null, bool? verbose = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        lock (_lock)
        {
            return new Host(this, QualifiedName(name), new Random(seed ?? random.Next()));
        }
    }

    public IChannel Start(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new Channel(this, QualifiedName(name));
    }

    public IProgressChannel StartProgressChannel(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new ProgressChannel(name);
    }

    public TException Process<TException>(TException ex)
        where TException : Exception
        => ex;

    private string QualifiedName(string name) => FullName.Length == 0 ? name : $"{FullName}; {name}";
}
