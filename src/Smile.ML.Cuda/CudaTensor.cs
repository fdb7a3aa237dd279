using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>A matrix in a device's memory that goes back to its backend's pool when disposed.</summary>
internal sealed class CudaTensor : Tensor
{
    private readonly CudaMemoryPool _pool;
    private DeviceMemory? _memory;

    public CudaTensor(CudaMemoryPool pool, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        _pool = pool;
        Rows = rows;
        Columns = columns;
        _memory = pool.Rent(Length * sizeof(float));
    }

    /// <summary>Gets the memory.</summary>
    /// <exception cref="ObjectDisposedException">The tensor has been given back.</exception>
    public DeviceMemory Memory => _memory ?? throw new ObjectDisposedException(nameof(CudaTensor));

    /// <summary>Gets the address of the first element.</summary>
    public ulong Address => Memory.Address;

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _memory, null) is { } memory)
        {
            _pool.Return(memory);
        }
    }
}
