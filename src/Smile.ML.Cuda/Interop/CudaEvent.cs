namespace Smile.ML.Cuda.Interop;

/// <summary>A mark in a stream that can be waited for, and that keeps the time at which it was passed.</summary>
internal sealed unsafe class CudaEvent : CudaHandle
{
    public CudaEvent(CudaContext context)
        : base(context)
    {
        context.MakeCurrent();
        nint value;
        context.Driver.Check(context.Driver.EventCreate(&value, 0), "Creating a CUDA event");
        Own(value);
    }

    /// <summary>Sets the mark behind all work queued so far.</summary>
    public void Record(CudaStream stream)
    {
        Context.MakeCurrent();
        Context.Driver.Check(Context.Driver.EventRecord(handle, stream.Value), "Recording a CUDA event");
    }

    /// <summary>Waits until the mark is passed; not at all where none was set.</summary>
    public void Synchronize()
    {
        Context.MakeCurrent();
        Context.Driver.Check(Context.Driver.EventSynchronize(handle), "Work on the GPU");
    }

    /// <summary>Likewise, without throwing: for releasing what the work used.</summary>
    public void TrySynchronize()
    {
        if (Context.TryMakeCurrent())
        {
            _ = Context.Driver.EventSynchronize(handle);
        }
    }

    /// <summary>Gets the seconds since another event; both must have been passed.</summary>
    public double SecondsSince(CudaEvent start)
    {
        Context.MakeCurrent();
        float milliseconds;
        Context.Driver.Check(Context.Driver.EventElapsedTime(&milliseconds, start.handle, handle), "Reading a CUDA event");
        return milliseconds / 1000;
    }

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.EventDestroy(value);
}
