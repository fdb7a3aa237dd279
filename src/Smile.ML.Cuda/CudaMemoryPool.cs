using System.Globalization;
using System.Numerics;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>
/// Keeps blocks of device memory for reuse: allocating and freeing wait for the device. Users queue all their work on one stream, so a block
/// may be handed on while work with it is still queued. Sizes grow by a quarter of a power of two. Of several blocks the one with the
/// lowest address goes first: when all have come back, the same requests get the same blocks again.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="queue">The stream.</param>
/// <param name="exact">Never to hand out more than was asked for.</param>
internal sealed class CudaMemoryPool(CudaDevice device, CudaQueue queue, bool exact) : IDisposable
{
    private const int SmallestBits = 9;
    private readonly Dictionary<long, PriorityQueue<DeviceMemory, ulong>> _free = [];
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>Takes a block of at least as many bytes.</summary>
    /// <exception cref="SmileException">The device has no such room.</exception>
    public DeviceMemory Rent(long bytes)
    {
        long size = exact ? Math.Max(bytes, 1) : RoundUp(bytes);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_free.TryGetValue(size, out PriorityQueue<DeviceMemory, ulong>? free) && free.TryDequeue(out DeviceMemory? memory, out _))
            {
                return memory;
            }
        }

        return Allocate(size);
    }

    /// <summary>Puts a block back, or frees it when the pool has been disposed.</summary>
    public void Return(DeviceMemory memory)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                if (!_free.TryGetValue(memory.Bytes, out PriorityQueue<DeviceMemory, ulong>? free))
                {
                    _free.Add(memory.Bytes, free = new PriorityQueue<DeviceMemory, ulong>());
                }

                free.Enqueue(memory, memory.Address);
                return;
            }
        }

        memory.Dispose();
    }

    /// <summary>Allocates a block that is not meant to come back, e.g. for a weight; frees those kept for reuse where there is no room.</summary>
    /// <exception cref="SmileException">The device has no such room.</exception>
    public DeviceMemory Allocate(long bytes)
    {
        bytes = Math.Max(bytes, 1);
        if (DeviceMemory.TryAllocate(device.Context, bytes) is { } memory)
        {
            return memory;
        }

        Trim();
        if (DeviceMemory.TryAllocate(device.Context, bytes) is { } second)
        {
            return second;
        }

        (long free, long total) = device.Memory();
        throw new SmileException(string.Create(
            CultureInfo.InvariantCulture,
            $"{device.Name} ({device.Model}) is out of memory: {bytes:N0} bytes are needed, {free:N0} of {total:N0} are free. Use smaller batches or another device."));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
        }

        Trim();
    }

    private void Trim()
    {
        lock (_lock)
        {
            // Under the lock, so that nobody takes a block, holds back work with it and gives it back meanwhile. The queue never calls the pool.
            queue.TrySynchronize();
            foreach ((DeviceMemory memory, _) in _free.Values.SelectMany(blocks => blocks.UnorderedItems))
            {
                memory.Dispose();
            }

            _free.Clear();
        }
    }

    private static long RoundUp(long bytes)
    {
        if (bytes <= 1L << SmallestBits)
        {
            return 1L << SmallestBits;
        }

        long quarter = 1L << (BitOperations.Log2((ulong)(bytes - 1)) - 2);
        return (bytes + quarter - 1) / quarter * quarter;
    }
}
