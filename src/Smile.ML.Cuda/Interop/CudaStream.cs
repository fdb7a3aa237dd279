namespace Smile.ML.Cuda.Interop;

/// <summary>A queue of work on a device. Calls may come from several threads; work runs in the order of the calls.</summary>
internal sealed unsafe class CudaStream : CudaHandle
{
    /// <summary>Doesn't wait for the legacy default stream of other libraries.</summary>
    private const uint NonBlocking = 1;

    public CudaStream(CudaContext context)
        : base(context)
    {
        context.MakeCurrent();
        nint stream;
        context.Driver.Check(context.Driver.StreamCreate(&stream, NonBlocking), "Creating a CUDA stream");
        Own(stream);
    }

    /// <summary>Gets the stream for calls of the driver.</summary>
    public nint Value => handle;

    /// <summary>Waits until all work is done.</summary>
    /// <exception cref="SmileException">Some of it failed.</exception>
    public void Synchronize()
    {
        Context.MakeCurrent();
        Context.Driver.Check(Context.Driver.StreamSynchronize(handle), "Work on the GPU");
    }

    /// <summary>Likewise, without throwing: for releasing what the work used.</summary>
    public void TrySynchronize()
    {
        if (Context.TryMakeCurrent())
        {
            _ = Context.Driver.StreamSynchronize(handle);
        }
    }

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.StreamDestroy(value);
}
