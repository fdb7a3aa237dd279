using System.Runtime.InteropServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>
/// Something of the driver's that has to be released in its context, by <see cref="SafeHandle.Dispose()"/> or, if that is forgotten, by
/// the finalizer. Keeps the context alive meanwhile.
/// </summary>
/// <param name="context">The context.</param>
internal abstract class CudaHandle(CudaContext context) : SafeHandle(0, ownsHandle: true)
{
    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Gets the context.</summary>
    protected CudaContext Context => context;

    /// <summary>Takes over what the driver made.</summary>
    protected void Own(nint value)
    {
        bool added = false;
        context.DangerousAddRef(ref added);
        SetHandle(value);
    }

    /// <inheritdoc/>
    protected sealed override bool ReleaseHandle()
    {
        // Errors have nowhere to go from here; those of the work itself came up where it was waited for.
        bool released = context.TryMakeCurrent() && Release(handle) == (int)CudaStatus.Success;
        context.DangerousRelease();
        return released;
    }

    /// <summary>Releases the value and returns the driver's result.</summary>
    protected abstract int Release(nint value);
}
