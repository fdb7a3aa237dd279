using Microsoft.ML.Runtime;
using Smile.ML.Compute;

namespace Smile.ML;

/// <summary>Decides where a model of a pipeline runs.</summary>
internal static class ScoringDevice
{
    private const string Cpu = "cpu";

    /// <summary>
    /// Takes what was asked for; where nothing was, the GPU that the context names (<c>MLContext.GpuDeviceId</c>), else the CPU. A device that
    /// is not there is an error, unless the context allows the CPU instead (<c>MLContext.FallbackToCpu</c>): then it says so in its log.
    /// </summary>
    /// <param name="environment">The context or a host under it.</param>
    /// <param name="device">The device asked for; or null.</param>
    /// <param name="threads">The threads asked for; or null.</param>
    /// <exception cref="SmileException">The device is not there.</exception>
    public static ComputeOptions Choose(IHostEnvironment environment, string? device, int? threads)
    {
        device ??= Internals.GpuDeviceId(environment) is { } gpu ? $"cuda:{gpu}" : Cpu;
        var compute = new ComputeOptions { Device = device, Threads = threads };
        try
        {
            Backends.Create(compute).Dispose();
            return compute;
        }
        catch (SmileException e) when (device != Cpu && Internals.FallbackToCpu(environment))
        {
            using IChannel channel = environment.Start(nameof(ScoringDevice));
            channel.Warning(MessageSensitivity.None, "{0} can't be used: {1} The model runs on the CPU, as FallbackToCpu allows.", device, e.Message);
            return compute with { Device = Cpu };
        }
    }
}
