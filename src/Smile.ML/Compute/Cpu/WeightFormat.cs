namespace Smile.ML.Compute.Cpu;

/// <summary>The formats that a <see cref="PackedMatrix"/> may keep its elements in.</summary>
internal enum WeightFormat
{
    /// <summary>float32.</summary>
    Float32,

    /// <summary>bfloat16.</summary>
    BFloat16,

    /// <summary>IEEE float16, finite values only.</summary>
    Float16,
}
