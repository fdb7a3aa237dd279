using System.Runtime.InteropServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>
/// The functions of the CUDA driver's interface that are used here (cuda.h describes them). Each returns a result code, which
/// <see cref="Check"/> takes.
/// </summary>
internal sealed unsafe class CudaDriver
{
    /// <summary>CUDA 12.0, the first whose compiler reads the kernels' PTX 8.0.</summary>
    public const int MinimumVersion = 12000;

    /// <summary>What a machine must have, for messages.</summary>
    public const string Needed
        = "needed is an NVIDIA GPU of compute capability 8.0 or later (Ampere) with a driver for CUDA 12.0 or later (525 or later)";

    private readonly delegate* unmanaged<int, byte**, int> _getErrorName;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorString;

    private CudaDriver(nint library)
    {
        Initialize = (delegate* unmanaged<uint, int>)Export("cuInit");
        DriverGetVersion = (delegate* unmanaged<int*, int>)Export("cuDriverGetVersion");
        DeviceGetCount = (delegate* unmanaged<int*, int>)Export("cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, int>)Export("cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, int>)Export("cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)Export("cuDeviceGetAttribute");
        PrimaryContextRetain = (delegate* unmanaged<nint*, int, int>)Export("cuDevicePrimaryCtxRetain");
        PrimaryContextRelease = (delegate* unmanaged<int, int>)Export("cuDevicePrimaryCtxRelease_v2");
        ContextSetCurrent = (delegate* unmanaged<nint, int>)Export("cuCtxSetCurrent");
        MemoryGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)Export("cuMemGetInfo_v2");
        MemoryAllocate = (delegate* unmanaged<ulong*, nuint, int>)Export("cuMemAlloc_v2");
        MemoryFree = (delegate* unmanaged<ulong, int>)Export("cuMemFree_v2");
        HostAllocate = (delegate* unmanaged<void**, nuint, int>)Export("cuMemAllocHost_v2");
        HostFree = (delegate* unmanaged<void*, int>)Export("cuMemFreeHost");
        CopyToDevice = (delegate* unmanaged<ulong, void*, nuint, nint, int>)Export("cuMemcpyHtoDAsync_v2");
        CopyToHost = (delegate* unmanaged<void*, ulong, nuint, nint, int>)Export("cuMemcpyDtoHAsync_v2");
        FillWords = (delegate* unmanaged<ulong, uint, nuint, nint, int>)Export("cuMemsetD32Async");
        StreamCreate = (delegate* unmanaged<nint*, uint, int>)Export("cuStreamCreate");
        StreamDestroy = (delegate* unmanaged<nint, int>)Export("cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, int>)Export("cuStreamSynchronize");
        StreamBeginCapture = (delegate* unmanaged<nint, int, int>)Export("cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, int>)Export("cuStreamEndCapture");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, int>)Export("cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, int>)Export("cuGraphLaunch");
        GraphDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphDestroy");
        GraphExecutableDestroy = (delegate* unmanaged<nint, int>)Export("cuGraphExecDestroy");
        EventCreate = (delegate* unmanaged<nint*, uint, int>)Export("cuEventCreate");
        EventDestroy = (delegate* unmanaged<nint, int>)Export("cuEventDestroy_v2");
        EventRecord = (delegate* unmanaged<nint, nint, int>)Export("cuEventRecord");
        EventSynchronize = (delegate* unmanaged<nint, int>)Export("cuEventSynchronize");
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)Export("cuEventElapsedTime");
        ModuleLoad = (delegate* unmanaged<nint*, void*, uint, int*, void**, int>)Export("cuModuleLoadDataEx");
        ModuleUnload = (delegate* unmanaged<nint, int>)Export("cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)Export("cuModuleGetFunction");
        FunctionSetAttribute = (delegate* unmanaged<nint, int, int, int>)Export("cuFuncSetAttribute");
        FunctionGetAttribute = (delegate* unmanaged<int*, int, nint, int>)Export("cuFuncGetAttribute");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)Export("cuLaunchKernel");
        _getErrorName = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)Export("cuGetErrorString");

        nint Export(string name) => NativeLibrary.TryGetExport(library, name, out nint address)
            ? address
            : throw new SmileException($"The CUDA driver lacks {name}: it is too old; {Needed}.");
    }

    public delegate* unmanaged<uint, int> Initialize { get; }

    public delegate* unmanaged<int*, int> DriverGetVersion { get; }

    public delegate* unmanaged<int*, int> DeviceGetCount { get; }

    public delegate* unmanaged<int*, int, int> DeviceGet { get; }

    public delegate* unmanaged<byte*, int, int, int> DeviceGetName { get; }

    public delegate* unmanaged<int*, int, int, int> DeviceGetAttribute { get; }

    public delegate* unmanaged<nint*, int, int> PrimaryContextRetain { get; }

    public delegate* unmanaged<int, int> PrimaryContextRelease { get; }

    public delegate* unmanaged<nint, int> ContextSetCurrent { get; }

    public delegate* unmanaged<nuint*, nuint*, int> MemoryGetInfo { get; }

    public delegate* unmanaged<ulong*, nuint, int> MemoryAllocate { get; }

    public delegate* unmanaged<ulong, int> MemoryFree { get; }

    public delegate* unmanaged<void**, nuint, int> HostAllocate { get; }

    public delegate* unmanaged<void*, int> HostFree { get; }

    public delegate* unmanaged<ulong, void*, nuint, nint, int> CopyToDevice { get; }

    public delegate* unmanaged<void*, ulong, nuint, nint, int> CopyToHost { get; }

    public delegate* unmanaged<ulong, uint, nuint, nint, int> FillWords { get; }

    public delegate* unmanaged<nint*, uint, int> StreamCreate { get; }

    public delegate* unmanaged<nint, int> StreamDestroy { get; }

    public delegate* unmanaged<nint, int> StreamSynchronize { get; }

    public delegate* unmanaged<nint, int, int> StreamBeginCapture { get; }

    public delegate* unmanaged<nint, nint*, int> StreamEndCapture { get; }

    public delegate* unmanaged<nint*, nint, ulong, int> GraphInstantiate { get; }

    public delegate* unmanaged<nint, nint, int> GraphLaunch { get; }

    public delegate* unmanaged<nint, int> GraphDestroy { get; }

    public delegate* unmanaged<nint, int> GraphExecutableDestroy { get; }

    public delegate* unmanaged<nint*, uint, int> EventCreate { get; }

    public delegate* unmanaged<nint, int> EventDestroy { get; }

    public delegate* unmanaged<nint, nint, int> EventRecord { get; }

    public delegate* unmanaged<nint, int> EventSynchronize { get; }

    public delegate* unmanaged<float*, nint, nint, int> EventElapsedTime { get; }

    public delegate* unmanaged<nint*, void*, uint, int*, void**, int> ModuleLoad { get; }

    public delegate* unmanaged<nint, int> ModuleUnload { get; }

    public delegate* unmanaged<nint*, nint, byte*, int> ModuleGetFunction { get; }

    public delegate* unmanaged<nint, int, int, int> FunctionSetAttribute { get; }

    public delegate* unmanaged<int*, int, nint, int> FunctionGetAttribute { get; }

    public delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> LaunchKernel { get; }

    /// <summary>Loads the installed driver and initialises it.</summary>
    /// <exception cref="SmileException">There is no driver or no device, or the driver is too old.</exception>
    public static CudaDriver Load() => Load(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");

    /// <summary>Loads a driver library and initialises it.</summary>
    /// <param name="path">The library's name or path.</param>
    /// <exception cref="SmileException">There is no driver or no device, or the driver is too old.</exception>
    public static CudaDriver Load(string path)
    {
        if (!NativeLibrary.TryLoad(path, out nint library))
        {
            throw new SmileException($"There is no CUDA driver on this machine ({path} was not found); {Needed}.");
        }

        var driver = new CudaDriver(library);
        int version;
        driver.Check(driver.DriverGetVersion(&version), "Asking the CUDA driver for its version");
        if (version < MinimumVersion)
        {
            throw new SmileException($"The CUDA driver is for CUDA {version / 1000}.{version % 1000 / 10}; {Needed}.");
        }

        int status = driver.Initialize(0);
        if (status != (int)CudaStatus.Success)
        {
            throw new SmileException($"The CUDA driver found no GPU that can be used ({driver.Describe(status)}); {Needed}.");
        }

        return driver;
    }

    /// <summary>Throws where a call failed.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="what">What was being done, for the message.</param>
    /// <exception cref="SmileException">The status is an error.</exception>
    public void Check(int status, string what)
    {
        if (status != (int)CudaStatus.Success)
        {
            throw new SmileException($"{what} failed: {Describe(status)}.");
        }
    }

    /// <summary>Gets the driver's own words for a result code.</summary>
    public string Describe(int status)
    {
        byte* name = null, text = null;
        _ = _getErrorName(status, &name);
        _ = _getErrorString(status, &text);
        return $"{Marshal.PtrToStringUTF8((nint)name) ?? "unknown error"} ({status}), {Marshal.PtrToStringUTF8((nint)text) ?? "no description"}";
    }
}
