namespace Smile.ML.Cuda;

/// <summary>How the CUDA backend computes.</summary>
public sealed record CudaOptions
{
    /// <summary>Gets the precision of matrix products. Attention and everything element by element is float32.</summary>
    public MatrixPrecision Precision { get; init; } = MatrixPrecision.Full;

    /// <summary>
    /// Gets a value indicating whether memory starts as NaN whenever it is handed out, and is never handed out larger than asked for:
    /// for tests.
    /// </summary>
    internal bool CheckMemory { get; init; }
}
