using System.Collections.Concurrent;
using System.Reflection;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Compute;

/// <summary>The registry of backends, by the device name before the colon.</summary>
internal static class Backends
{
    private static readonly ConcurrentDictionary<string, Func<ComputeOptions, Backend>> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["cpu"] = CpuBackend.Create,
    };

    /// <summary>Backends that register themselves when asked for, where their assembly is there: its public class with a method Register.</summary>
    private static readonly Dictionary<string, (string Assembly, string Registration)> Discoverable = new(StringComparer.OrdinalIgnoreCase)
    {
        ["cuda"] = ("Smile.ML.Cuda", "Smile.ML.Cuda.SmileCuda"),
    };

    /// <summary>Gets the device names before the colon of the backends that are there, or can be looked for.</summary>
    public static IReadOnlyList<string> Names => [.. ByName.Keys.Union(Discoverable.Keys, StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal)];

    /// <summary>Adds a backend of another assembly.</summary>
    public static void Register(string name, Func<ComputeOptions, Backend> create) => ByName[name] = create;

    /// <summary>Creates the backend that the options name.</summary>
    /// <exception cref="SmileException">There is none of that name, its assembly cannot be loaded, or the number of threads is out of range.</exception>
    public static Backend Create(ComputeOptions options)
    {
        ThreadCount.Validate(options.Threads);
        string name = options.Device.Split(':')[0];
        if (!ByName.ContainsKey(name))
        {
            Discover(name);
        }

        return ByName.TryGetValue(name, out Func<ComputeOptions, Backend>? create)
            ? create(options)
            : throw new SmileException(
                $"Device is \"{options.Device}\"; available here: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}.");
    }

    private static void Discover(string name)
    {
        if (!Discoverable.TryGetValue(name, out (string Assembly, string Registration) source))
        {
            return;
        }

        Assembly assembly;
        try
        {
            assembly = Assembly.Load(source.Assembly);
        }
        catch (FileNotFoundException)
        {
            return;
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException)
        {
            throw new SmileException($"{source.Assembly} cannot be loaded: {e.Message}", e);
        }

        assembly.GetType(source.Registration, throwOnError: true)!.GetMethod("Register", Type.EmptyTypes)!.Invoke(null, null);
    }
}
