namespace Smile.ML.Cuda;

/// <summary>How a weight's elements lie in a device's memory.</summary>
internal enum WeightStorage
{
    Float32,
    BFloat16,
    Float16,
}
