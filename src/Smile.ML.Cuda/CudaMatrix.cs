using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>A weight's matrix on a device, row by row; rows begin at multiples of 16 bytes, zeros between them.</summary>
/// <param name="Memory">Where it lies.</param>
/// <param name="Storage">How.</param>
internal readonly record struct CudaMatrix(DeviceMemory Memory, WeightStorage Storage)
{
    private const int RowAlignment = 16;

    /// <summary>Gets the bytes of an element.</summary>
    public static int ElementBytes(WeightStorage storage) => storage == WeightStorage.Float32 ? sizeof(float) : sizeof(ushort);

    /// <summary>Gets the bytes from one row to the next.</summary>
    public static int RowBytes(int columns, WeightStorage storage)
        => checked(((columns * ElementBytes(storage)) + RowAlignment - 1) / RowAlignment * RowAlignment);
}
