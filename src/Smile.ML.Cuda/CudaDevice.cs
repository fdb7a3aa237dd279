using System.Collections.Concurrent;
using System.Globalization;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>One GPU: its context and the kernels compiled for it. All backends on it share this; it lives as long as the process.</summary>
internal sealed unsafe class CudaDevice
{
    // CU_DEVICE_ATTRIBUTE_...
    private const int ComputeCapabilityMajor = 75;
    private const int ComputeCapabilityMinor = 76;
    private const int MinimumComputeCapability = 8;
    private const int NameBytes = 256;

    private static readonly Lock OpenLock = new();
    private static readonly Dictionary<int, CudaDevice> Devices = [];
    private static CudaDriver? _driver;

    private readonly ConcurrentDictionary<(string Module, string Kernel), nint> _kernels = new();
    private readonly Dictionary<string, CudaModule> _modules = [];
    private readonly Lock _modulesLock = new();

    /// <summary>Takes a device of a driver.</summary>
    /// <exception cref="SmileException">There is no such device, or it is too old.</exception>
    public CudaDevice(CudaDriver driver, int ordinal)
    {
        int count, device, major, minor;
        driver.Check(driver.DeviceGetCount(&count), "Counting GPUs");
        if (ordinal >= count)
        {
            throw new SmileException($"Device is \"cuda:{ordinal}\"; this machine has {count} (cuda:0 to cuda:{count - 1}).");
        }

        driver.Check(driver.DeviceGet(&device, ordinal), "Choosing a GPU");
        byte* name = stackalloc byte[NameBytes];
        driver.Check(driver.DeviceGetName(name, NameBytes, device), "Asking a GPU for its name");
        driver.Check(driver.DeviceGetAttribute(&major, ComputeCapabilityMajor, device), "Asking a GPU for its compute capability");
        driver.Check(driver.DeviceGetAttribute(&minor, ComputeCapabilityMinor, device), "Asking a GPU for its compute capability");
        Name = $"cuda:{ordinal}";
        Model = System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)name)!;
        if (major < MinimumComputeCapability)
        {
            throw new SmileException($"{Name} is {Model}, of compute capability {major}.{minor}; {CudaDriver.Needed}.");
        }

        Context = new CudaContext(driver, device);
    }

    /// <summary>Gets the device's name: <c>cuda:</c> and its number.</summary>
    public string Name { get; }

    /// <summary>Gets the name that its maker gives it.</summary>
    public string Model { get; }

    /// <summary>Gets the context.</summary>
    public CudaContext Context { get; }

    /// <summary>Opens a device, or gives the open one.</summary>
    /// <param name="device"><c>cuda</c> or <c>cuda:N</c>.</param>
    /// <exception cref="SmileException">There is no such device, no driver, or either is too old.</exception>
    public static CudaDevice Open(string device)
    {
        ReadOnlySpan<char> number = device.AsSpan("cuda".Length);
        int ordinal = 0;
        if (number.Length > 0 && !(number[0] == ':' && int.TryParse(number[1..], NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)))
        {
            throw new SmileException($"Device is \"{device}\"; expected cuda or cuda:N, N from 0.");
        }

        lock (OpenLock)
        {
            _driver ??= CudaDriver.Load();
            if (!Devices.TryGetValue(ordinal, out CudaDevice? open))
            {
                open = new CudaDevice(_driver, ordinal);
                Devices.Add(ordinal, open);
            }

            return open;
        }
    }

    /// <summary>Gets a kernel, compiled at its first use.</summary>
    /// <param name="module">The file that it stands in, without ending.</param>
    /// <param name="kernel">Its name.</param>
    public nint Kernel(string module, string kernel)
        => _kernels.TryGetValue((module, kernel), out nint function)
            ? function
            : _kernels.GetOrAdd((module, kernel), key => Module(key.Module).GetFunction(key.Kernel));

    /// <summary>Gets the device's memory in bytes.</summary>
    public (long Free, long Total) Memory()
    {
        Context.MakeCurrent();
        nuint free, total;
        Context.Driver.Check(Context.Driver.MemoryGetInfo(&free, &total), "Asking a GPU for its memory");
        return ((long)free, (long)total);
    }

    private CudaModule Module(string name)
    {
        lock (_modulesLock)
        {
            if (!_modules.TryGetValue(name, out CudaModule? module))
            {
                using Stream resource = typeof(CudaDevice).Assembly.GetManifestResourceStream($"{name}.ptx")!;
                using var reader = new StreamReader(resource);
                module = new CudaModule(Context, $"{name}.cu", reader.ReadToEnd());
                _modules.Add(name, module);
            }

            return module;
        }
    }
}
