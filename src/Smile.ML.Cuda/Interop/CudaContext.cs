using System.Runtime.InteropServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>A device's primary context, which all users of the device in this process share.</summary>
internal sealed unsafe class CudaContext : SafeHandle
{
    private readonly int _device;

    public CudaContext(CudaDriver driver, int device)
        : base(0, ownsHandle: true)
    {
        Driver = driver;
        _device = device;
        nint context;
        driver.Check(driver.PrimaryContextRetain(&context, device), "Making a CUDA context");
        SetHandle(context);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Gets the driver.</summary>
    public CudaDriver Driver { get; }

    /// <summary>Makes this the calling thread's context, as every call that works in a context asks for.</summary>
    public void MakeCurrent() => Driver.Check(Driver.ContextSetCurrent(handle), "Choosing the CUDA context");

    /// <summary>Likewise, without throwing.</summary>
    public bool TryMakeCurrent() => Driver.ContextSetCurrent(handle) == (int)CudaStatus.Success;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Driver.PrimaryContextRelease(_device) == (int)CudaStatus.Success;
}
