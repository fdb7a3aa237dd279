namespace Smile.ML.Cuda.Interop;

/// <summary>A block of the host's memory that a device can read by itself, while the host goes on.</summary>
internal sealed unsafe class PinnedMemory : CudaHandle
{
    public PinnedMemory(CudaContext context, int bytes)
        : base(context)
    {
        context.MakeCurrent();
        void* address;
        context.Driver.Check(context.Driver.HostAllocate(&address, (nuint)bytes), $"Allocating {bytes} bytes of page-locked memory");
        Bytes = bytes;
        Own((nint)address);
    }

    /// <summary>Gets the size.</summary>
    public int Bytes { get; }

    /// <summary>Gets the first byte.</summary>
    public byte* Pointer => (byte*)handle;

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.HostFree((void*)value);
}
