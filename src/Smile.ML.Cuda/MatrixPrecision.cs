namespace Smile.ML.Cuda;

/// <summary>
/// How matrix products are computed. Inputs, weights and sums are float32 in every case; what differs is how the two factors of each
/// product are rounded. The bounds are relative to the sum of a result's absolute products, and come on top of the rounding of its sum.
/// </summary>
public enum MatrixPrecision
{
    /// <summary>Float32 multiply-adds on the ordinary cores: no rounding of the factors.</summary>
    Full,

    /// <summary>Tensor cores, factors in two tf32 parts (three products): within 1e-6.</summary>
    Tf32x3,

    /// <summary>Tensor cores, factors in two bf16 parts (three products): within 3.1e-5.</summary>
    BFloat16x3,

    /// <summary>Tensor cores, factors rounded to tf32: within 1e-3.</summary>
    Tf32,

    /// <summary>Tensor cores, factors rounded to float16: within 1e-3, where they lie between 6.2e-5 and 65504 or are 0.</summary>
    Float16,

    /// <summary>Tensor cores, factors rounded to bf16: within 8e-3.</summary>
    BFloat16,
}
