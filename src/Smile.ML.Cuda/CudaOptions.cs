namespace Smile.ML.Cuda;

/// <summary>How the CUDA backend computes.</summary>
public sealed record CudaOptions
{
    /// <summary>Gets the precision of matrix products. Attention and everything element by element is float32.</summary>
    public MatrixPrecision Precision { get; init; } = MatrixPrecision.Full;

    /// <summary>
    /// Gets a value indicating whether NVIDIA's cuBLASLt, version 12 or 13, computes the dense products, and not this library's kernels.
    /// With it, a row's last bits may depend on the batch. Loading a model fails where it is not found.
    /// </summary>
    public bool UseCublasLt { get; init; }

    /// <summary>Gets cuBLASLt's file; null to look beside the application, in its native assets, and where CUDA is installed.</summary>
    public string? CublasLtPath { get; init; }

    /// <summary>
    /// Gets a value indicating whether work that comes again with the same shapes is queued as one CUDA graph, which saves the launches'
    /// time where there is little to compute. Results are the same bits.
    /// </summary>
    public bool UseGraphs { get; init; } = true;

    /// <summary>
    /// Gets a value indicating whether memory starts as NaN whenever it is handed out, and is never handed out larger than asked for:
    /// for tests.
    /// </summary>
    internal bool CheckMemory { get; init; }

    /// <summary>Gets the number of multiprocessors that tiles are chosen for; null for those of the device: for tests, which are small.</summary>
    internal int? Multiprocessors { get; init; }
}
