namespace Smile.ML.Fusion;

/// <summary>The element types in which a model is written.</summary>
public enum StoredPrecision
{
    /// <summary>Copied tensors as they are; computed ones (factors, router rows, bias deltas, means) in float32.</summary>
    Keep,

    /// <summary>Every floating-point tensor in float32.</summary>
    F32,

    /// <summary>Every floating-point tensor in bfloat16.</summary>
    BF16,

    /// <summary>Every floating-point tensor in float16.</summary>
    F16,
}
