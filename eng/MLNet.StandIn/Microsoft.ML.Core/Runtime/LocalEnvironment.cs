namespace Microsoft.ML.Runtime;

/// <summary>The root of the hosts of one MLContext.</summary>
internal sealed class LocalEnvironment(int? seed) : HostEnvironment(seed is { } value ? new Random(value) : new Random())
{
    private volatile bool _isCanceled;
    private string _tempFilePath = Path.GetTempPath();

    public event Action<string, ChannelMessage> MessageSent;

    public override ComponentCatalog ComponentCatalog { get; } = new();

    public override int? Seed => seed;

    public override string TempFilePath
    {
        get => _tempFilePath;
        set => _tempFilePath = value;
    }

    public override bool FallbackToCpu { get; set; } = true;

    public override int? GpuDeviceId { get; set; }

    public override bool IsCanceled => _isCanceled;

    public override string FullName => "";

    public override void CancelExecution() => _isCanceled = true;

    public override void Send(string source, ChannelMessage message) => MessageSent?.Invoke(source, message);
}
