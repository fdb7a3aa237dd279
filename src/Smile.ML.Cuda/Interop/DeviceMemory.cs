namespace Smile.ML.Cuda.Interop;

/// <summary>A block of a device's memory.</summary>
internal sealed unsafe class DeviceMemory : CudaHandle
{
    private DeviceMemory(CudaContext context, ulong address, long bytes)
        : base(context)
    {
        Bytes = bytes;
        Own((nint)address);
    }

    /// <summary>Gets the size.</summary>
    public long Bytes { get; }

    /// <summary>Gets the address on the device.</summary>
    public ulong Address => (ulong)handle;

    /// <summary>Allocates a block, at least 256-byte aligned; its content is undefined.</summary>
    /// <returns>The block, or null where the device has no such room.</returns>
    /// <exception cref="SmileException">The driver failed otherwise.</exception>
    public static DeviceMemory? TryAllocate(CudaContext context, long bytes)
    {
        context.MakeCurrent();
        ulong address;
        int status = context.Driver.MemoryAllocate(&address, checked((nuint)bytes));
        if (status == (int)CudaStatus.OutOfMemory)
        {
            return null;
        }

        context.Driver.Check(status, $"Allocating {bytes} bytes on the GPU");
        return new DeviceMemory(context, address, bytes);
    }

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.MemoryFree((ulong)value);
}
