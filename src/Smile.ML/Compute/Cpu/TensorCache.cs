using System.Numerics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Keeps matrices for reuse, so that a warmed-up forward pass allocates nothing. Capacities grow by a quarter of a power of two:
/// at most a quarter of the memory is idle.
/// </summary>
internal sealed class TensorCache : IDisposable
{
    private const int SmallestBits = 8;
    private readonly Stack<CpuTensor>[] _free = new Stack<CpuTensor>[(64 - SmallestBits) * 4];
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>Gets the elements that a tensor of a size class holds.</summary>
    public static long Capacity(int sizeClass) => (4L + (sizeClass & 3)) << ((sizeClass >> 2) + SmallestBits - 2);

    /// <summary>Takes a matrix with undefined contents.</summary>
    public CpuTensor Rent(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        int sizeClass = SizeClass((long)rows * columns);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_free[sizeClass] is { Count: > 0 } free)
            {
                return free.Pop().Take(rows, columns);
            }
        }

        return new CpuTensor(this, sizeClass).Take(rows, columns);
    }

    /// <summary>Puts a matrix back, or frees it when the cache has been disposed.</summary>
    public void Return(CpuTensor tensor)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                (_free[tensor.SizeClass] ??= new Stack<CpuTensor>()).Push(tensor);
                return;
            }
        }

        tensor.Free();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (CpuTensor tensor in _free.Where(stack => stack is not null).SelectMany(stack => stack))
            {
                tensor.Free();
            }

            Array.Clear(_free);
        }
    }

    private static int SizeClass(long length)
    {
        if (length <= 1L << SmallestBits)
        {
            return 0;
        }

        // The leading bit of length - 1 picks the octave, the next two its quarter; one class up holds the length.
        ulong last = (ulong)(length - 1);
        int octave = BitOperations.Log2(last);
        int quarter = (int)((last >> (octave - 2)) & 3);
        return ((octave - SmallestBits) * 4) + quarter + 1;
    }
}
