namespace Microsoft.ML.Runtime;

/// <summary>A named child: its own random generator, everything else its parent's.</summary>
internal sealed class Host(HostEnvironment parent, string fullName, Random random) : HostEnvironment(random)
{
    public override ComponentCatalog ComponentCatalog => parent.ComponentCatalog;

    public override int? Seed => parent.Seed;

    public override string TempFilePath
    {
        get => parent.TempFilePath;
        set => parent.TempFilePath = value;
    }

    public override bool FallbackToCpu
    {
        get => parent.FallbackToCpu;
        set => parent.FallbackToCpu = value;
    }

    public override int? GpuDeviceId
    {
        get => parent.GpuDeviceId;
        set => parent.GpuDeviceId = value;
    }

    public override bool IsCanceled => parent.IsCanceled;

    public override string FullName => fullName;

    public override void CancelExecution() => parent.CancelExecution();

    public override void Send(string source, ChannelMessage message) => parent.Send(source, message);
}
