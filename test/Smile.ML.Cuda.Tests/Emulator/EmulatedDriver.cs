using System.Runtime.InteropServices;
using System.Text;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda.Tests.Emulator;

/// <summary>
/// The CUDA driver that Emulator/build.sh makes of the kernels' sources and a host's compiler. One per process; tests that use it don't
/// run in parallel.
/// </summary>
internal static unsafe class EmulatedDriver
{
    private const int TextBytes = 65536;

    /// <summary>The library; cuBLASLt too, as far as it is emulated.</summary>
    public static readonly string LibraryPath = Path.Combine(AppContext.BaseDirectory, "libcuda-emulator.so");
    private static readonly Lazy<nint> Library = new(() => NativeLibrary.Load(LibraryPath));

    /// <summary>Loads the driver; ends the test as inconclusive where it was not built.</summary>
    /// <param name="devices">How many devices it has.</param>
    /// <param name="version">The CUDA version it is for, times 1000.</param>
    /// <param name="computeCapability">The devices' major compute capability.</param>
    /// <param name="memory">Bytes of memory in all.</param>
    /// <param name="brokenCompiler">Whether it fails to compile any PTX.</param>
    public static CudaDriver Load(int devices = 1, int version = 12080, int computeCapability = 9, long memory = 4L << 30, bool brokenCompiler = false)
    {
        if (!File.Exists(LibraryPath))
        {
            Assert.Inconclusive("The emulated driver was not built: it needs g++ on Linux.");
        }

        ((delegate* unmanaged<int, int, int, nuint, int, int>)Export("emulator_configure"))(
            devices, version, computeCapability, (nuint)memory, brokenCompiler ? 1 : 0);
        return CudaDriver.Load(LibraryPath);
    }

    /// <summary>Opens a device of a freshly loaded driver.</summary>
    public static CudaDevice OpenDevice() => new(Load(), 0);

    /// <summary>Chooses the order in which threads run.</summary>
    public static void Seed(uint seed) => ((delegate* unmanaged<uint, int>)Export("emulator_seed"))(seed);

    /// <summary>Forgets failed work.</summary>
    public static void Recover() => ((delegate* unmanaged<int>)Export("emulator_recover"))();

    /// <summary>Gets the bytes that are allocated, and the bytes copied from the host so far; those of a graph count once.</summary>
    public static (long Allocated, long FromHost) Memory()
    {
        nuint allocated, fromHost;
        ((delegate* unmanaged<nuint*, nuint*, int>)Export("emulator_memory"))(&allocated, &fromHost);
        return ((long)allocated, (long)fromHost);
    }

    /// <summary>Gets how many times a graph was launched, and how many graphs the driver holds.</summary>
    public static (int Launches, int Count) Graphs()
    {
        int launches, count;
        ((delegate* unmanaged<int*, int*, int>)Export("emulator_graphs"))(&launches, &count);
        return (launches, count);
    }

    /// <summary>Makes a function of the driver fail; empty for none.</summary>
    public static void Fail(string function)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(function + '\0'))
        {
            ((delegate* unmanaged<byte*, int>)Export("emulator_fail"))(name);
        }
    }

    /// <summary>Gets all barriers of the kernels' sources, as file:line, waits for copies among them.</summary>
    public static IReadOnlyList<string> Barriers()
    {
        byte[] text = new byte[TextBytes];
        fixed (byte* buffer = text)
        {
            ((delegate* unmanaged<byte*, int, int>)Export("emulator_barriers"))(buffer, TextBytes);
        }

        return Text(text).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Makes a barrier do nothing; null for none.</summary>
    public static void SkipBarrier(string? barrier)
    {
        string[] parts = (barrier ?? ":0").Split(':');
        fixed (byte* file = Encoding.UTF8.GetBytes(parts[0] + '\0'))
        {
            ((delegate* unmanaged<byte*, int, int>)Export("emulator_skip_barrier"))(file, int.Parse(parts[1]));
        }
    }

    /// <summary>Gets how many allocations have been written beyond their ends.</summary>
    public static int BrokenGuards() => ((delegate* unmanaged<int>)Export("emulator_broken_guards"))();

    /// <summary>Gets how many times queued work, all of which is done now, touched memory that had been freed.</summary>
    public static int FreedInUse() => ((delegate* unmanaged<int>)Export("emulator_freed_in_use"))();

    /// <summary>Gets why the last kernel failed.</summary>
    public static string Message()
    {
        byte[] text = new byte[TextBytes];
        fixed (byte* buffer = text)
        {
            ((delegate* unmanaged<byte*, int, int>)Export("emulator_message"))(buffer, TextBytes);
        }

        return Text(text);
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library.Value, name);

    private static string Text(byte[] buffer) => Encoding.UTF8.GetString(buffer, 0, Array.IndexOf(buffer, (byte)0));
}
