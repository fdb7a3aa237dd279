namespace Microsoft.ML.Runtime;

/// <summary>A named child with a random generator of its own.</summary>
internal sealed class Host(HostEnvironment parent, string name, Random random) : HostEnvironment(parent.Seed, random)
{
    public override ComponentCatalog ComponentCatalog => parent.ComponentCatalog;

    public override bool IsCanceled => parent.IsCanceled;

    protected override string Name => name;

    public override void CancelExecution() => parent.CancelExecution();

    public override void Send(string source, ChannelMessage message) => parent.Send(source, message);
}
