using Smile.ML.Compute;

namespace Smile.ML.Cuda;

/// <summary>
/// Makes the devices <c>cuda</c> and <c>cuda:N</c> known to Smile.ML. Not needed where this assembly lies beside Smile.ML: the first use
/// of such a device finds it.
/// </summary>
public static class SmileCuda
{
    /// <summary>Registers the backend with its default options.</summary>
    public static void Register() => Register(new CudaOptions());

    /// <summary>Registers the backend.</summary>
    /// <param name="options">How models that are loaded from now on compute.</param>
    public static void Register(CudaOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Backends.Register("cuda", compute => new CudaBackend(CudaDevice.Open(compute.Device), options));
    }
}
