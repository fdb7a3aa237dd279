namespace Smile.ML.Cuda.Interop;

/// <summary>Work that was captured from a stream, ready to be queued by one call.</summary>
internal sealed unsafe class GraphExecutable : CudaHandle
{
    // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads, which may allocate meanwhile, are not concerned.
    private const int ThreadLocal = 1;

    private GraphExecutable(CudaContext context, nint value)
        : base(context) => Own(value);

    /// <summary>Queues something on a stream.</summary>
    public delegate void Queueing(ReadOnlySpan<ulong> operations, CudaStream stream);

    /// <summary>Captures what an action queues; nothing of it runs.</summary>
    /// <param name="context">The context.</param>
    /// <param name="stream">A stream that nobody else uses.</param>
    /// <param name="operations">Passed to the action.</param>
    /// <param name="queue">The action.</param>
    /// <exception cref="SmileException">The driver can't capture it.</exception>
    public static GraphExecutable Capture(CudaContext context, CudaStream stream, ReadOnlySpan<ulong> operations, Queueing queue)
    {
        CudaDriver driver = context.Driver;
        context.MakeCurrent();
        driver.Check(driver.StreamBeginCapture(stream.Value, ThreadLocal), "Beginning a CUDA graph");
        nint graph = 0, executable;
        try
        {
            queue(operations, stream);
        }
        catch
        {
            // Ends the capture; what was captured is of no use.
            _ = driver.StreamEndCapture(stream.Value, &graph);
            _ = graph == 0 ? 0 : driver.GraphDestroy(graph);
            throw;
        }

        driver.Check(driver.StreamEndCapture(stream.Value, &graph), "Capturing a CUDA graph");
        int status = driver.GraphInstantiate(&executable, graph, 0);
        int released = driver.GraphDestroy(graph);
        driver.Check(status, "Making a CUDA graph");
        var made = new GraphExecutable(context, executable);
        if (released != (int)CudaStatus.Success)
        {
            made.Dispose();
            driver.Check(released, "Releasing a captured CUDA graph");
        }

        return made;
    }

    /// <summary>Queues the work.</summary>
    public void Launch(CudaStream stream)
    {
        Context.MakeCurrent();
        Context.Driver.Check(Context.Driver.GraphLaunch(handle, stream.Value), "Launching a CUDA graph");
    }

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.GraphExecutableDestroy(value);
}
