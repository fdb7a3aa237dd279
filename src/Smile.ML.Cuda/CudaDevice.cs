using System.Collections.Concurrent;
using System.Globalization;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>One GPU: its context and the kernels compiled for it. All backends on it share this; it lives as long as the process.</summary>
internal sealed unsafe class CudaDevice
{
    // CU_DEVICE_ATTRIBUTE_...
    private const int MultiprocessorCount = 16;
    private const int ComputeCapabilityMajor = 75;
    private const int ComputeCapabilityMinor = 76;
    private const int MinimumComputeCapability = 8;
    private const int NameBytes = 256;

    // CU_FUNC_ATTRIBUTE_...
    private const int LocalBytes = 3;
    private const int RegisterCount = 4;

    // For more than a block has without asking.
    private const int MaxDynamicShared = 8;
    private const int SharedWithoutAsking = 48 << 10;

    private static readonly Lock OpenLock = new();
    private static readonly Dictionary<int, CudaDevice> Devices = [];
    private static CudaDriver? _installed;

    private readonly CudaDriver _driver;
    private readonly int _device;
    private readonly ConcurrentDictionary<(string Module, string Kernel), nint> _kernels = new();
    private readonly Dictionary<string, CudaModule> _modules = [];
    private readonly Lock _modulesLock = new();

    /// <summary>Takes a device of a driver.</summary>
    /// <exception cref="SmileException">There is no such device, or it is too old.</exception>
    public CudaDevice(CudaDriver driver, int ordinal)
    {
        int count, device;
        driver.Check(driver.DeviceGetCount(&count), "Counting GPUs");
        if (ordinal >= count)
        {
            throw new SmileException($"Device is \"cuda:{ordinal}\"; this machine has {count} (cuda:0 to cuda:{count - 1}).");
        }

        driver.Check(driver.DeviceGet(&device, ordinal), "Choosing a GPU");
        byte* name = stackalloc byte[NameBytes];
        driver.Check(driver.DeviceGetName(name, NameBytes, device), "Asking a GPU for its name");
        (_driver, _device) = (driver, device);
        ComputeCapability = (Attribute(ComputeCapabilityMajor), Attribute(ComputeCapabilityMinor));
        Multiprocessors = Attribute(MultiprocessorCount);
        Name = $"cuda:{ordinal}";
        Model = System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)name)!;
        (int major, int minor) = ComputeCapability;
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

    /// <summary>Gets its compute capability.</summary>
    public (int Major, int Minor) ComputeCapability { get; }

    /// <summary>Gets the number of its multiprocessors.</summary>
    public int Multiprocessors { get; }

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
            _installed ??= CudaDriver.Load();
            if (!Devices.TryGetValue(ordinal, out CudaDevice? open))
            {
                open = new CudaDevice(_installed, ordinal);
                Devices.Add(ordinal, open);
            }

            return open;
        }
    }

    /// <summary>Gets a kernel's function, compiled at its first use.</summary>
    public nint Kernel(in CudaKernel kernel)
        => _kernels.TryGetValue((kernel.Module, kernel.Name), out nint function)
            ? function
            : _kernels.GetOrAdd((kernel.Module, kernel.Name), Find, kernel.SharedBytes);

    /// <summary>Gets what the driver's compiler made of a kernel: the registers of a thread, and the bytes that did not fit in them.</summary>
    public (int Registers, int LocalBytes) Compiled(in CudaKernel kernel)
    {
        nint function = Kernel(kernel);
        return (Attribute(RegisterCount), Attribute(LocalBytes));

        int Attribute(int attribute)
        {
            int value;
            _driver.Check(_driver.FunctionGetAttribute(&value, attribute, function), "Asking for a kernel's registers");
            return value;
        }
    }

    /// <summary>Gets the name of a kernel's function.</summary>
    public string NameOf(nint function) => _kernels.FirstOrDefault(kernel => kernel.Value == function).Key.Kernel;

    /// <summary>Gets one of the driver's CU_DEVICE_ATTRIBUTE values.</summary>
    public int Attribute(int attribute)
    {
        int value;
        _driver.Check(_driver.DeviceGetAttribute(&value, attribute, _device), "Asking a GPU for its attributes");
        return value;
    }

    /// <summary>Gets the device's memory in bytes.</summary>
    public (long Free, long Total) Memory()
    {
        Context.MakeCurrent();
        nuint free, total;
        Context.Driver.Check(Context.Driver.MemoryGetInfo(&free, &total), "Asking a GPU for its memory");
        return ((long)free, (long)total);
    }

    private nint Find((string Module, string Kernel) key, int sharedBytes)
    {
        nint function = Module(key.Module).GetFunction(key.Kernel);
        if (sharedBytes > SharedWithoutAsking)
        {
            Context.Driver.Check(
                Context.Driver.FunctionSetAttribute(function, MaxDynamicShared, sharedBytes), $"Asking for {sharedBytes} bytes of shared memory for {key.Kernel}");
        }

        return function;
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
