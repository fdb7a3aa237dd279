namespace Microsoft.ML.Runtime;

/// <summary>The root of the hosts of one MLContext.</summary>
internal sealed class LocalEnvironment(int? seed) : HostEnvironment(seed, seed is { } value ? new Random(value) : new Random())
{
    private volatile bool _isCanceled;

    public event Action<string, ChannelMessage> MessageSent;

    public override ComponentCatalog ComponentCatalog { get; } = new();

    public override bool IsCanceled => _isCanceled;

    protected override string Name => "";

    public override void CancelExecution() => _isCanceled = true;

    public override void Send(string source, ChannelMessage message) => MessageSent?.Invoke(source, message);
}
