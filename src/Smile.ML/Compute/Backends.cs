using System.Collections.Concurrent;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Compute;

/// <summary>The registry of backends, by the device name before the colon.</summary>
internal static class Backends
{
    private static readonly ConcurrentDictionary<string, Func<ComputeOptions, Backend>> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["cpu"] = options => new CpuBackend(options.Threads),
    };

    /// <summary>Adds a backend of another assembly.</summary>
    public static void Register(string name, Func<ComputeOptions, Backend> create) => ByName[name] = create;

    /// <summary>Creates the backend that the options name.</summary>
    /// <exception cref="SmileException">There is none of that name, or the number of threads is out of range.</exception>
    public static Backend Create(ComputeOptions options)
    {
        if (options.Threads is < 1 or > 1024)
        {
            throw new SmileException($"Threads is {options.Threads}; expected 1 to 1024.");
        }

        return ByName.TryGetValue(options.Device.Split(':')[0], out Func<ComputeOptions, Backend>? create)
            ? create(options)
            : throw new SmileException(
                $"Device is \"{options.Device}\"; available here: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}.");
    }
}
