using System.Runtime.InteropServices;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>
/// The work of one backend, in one stream: kernels, copies, fills. From any thread; what one thread queues runs in its order. Host memory
/// of an upload is free again on return.
/// </summary>
internal sealed unsafe class CudaQueue : IDisposable
{
    private const int StagingBytes = 4 << 20;
    private readonly CudaDevice _device;
    private readonly CudaStream _stream;

    // Two, so that one is filled while the other is read.
    private readonly PinnedMemory[] _staging;
    private readonly CudaEvent[] _stagingRead;
    private readonly Lock _stagingLock = new();
    private int _nextStaging;

    public CudaQueue(CudaDevice device)
    {
        _device = device;
        _stream = new CudaStream(device.Context);
        _staging = [new PinnedMemory(device.Context, StagingBytes), new PinnedMemory(device.Context, StagingBytes)];
        _stagingRead = [new CudaEvent(device.Context), new CudaEvent(device.Context)];
    }

    /// <summary>Gets the stream.</summary>
    public CudaStream Stream => _stream;

    private CudaDriver Driver => _device.Context.Driver;

    /// <summary>Queues a kernel.</summary>
    /// <param name="module">The file that it stands in.</param>
    /// <param name="kernel">Its name.</param>
    /// <param name="columns">Blocks of the grid along x, 0 for no work.</param>
    /// <param name="rows">Blocks along y, likewise; at most 65535.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="arguments">In the order of the kernel's.</param>
    public void Launch(string module, string kernel, long columns, long rows, int threads, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (columns == 0 || rows == 0)
        {
            return;
        }

        nint function = _device.Kernel(module, kernel);
        _device.Context.MakeCurrent();
        void** locations = stackalloc void*[arguments.Length];
        fixed (KernelArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                locations[i] = first[i].Location(first + i);
            }

            Driver.Check(
                Driver.LaunchKernel(function, checked((uint)columns), checked((uint)rows), 1, (uint)threads, 1, 1, 0, _stream.Value, locations, null),
                $"Launching {kernel} on {columns} x {rows} blocks");
        }
    }

    /// <summary>Copies values to the device.</summary>
    public void Upload<T>(ReadOnlySpan<T> values, DeviceMemory destination)
        where T : unmanaged
        => Upload(values, destination, 0);

    /// <summary>Copies values to the device.</summary>
    /// <param name="values">The values.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="offset">First byte there.</param>
    public void Upload<T>(ReadOnlySpan<T> values, DeviceMemory destination, long offset)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes.Length, destination.Bytes);
        lock (_stagingLock)
        {
            _device.Context.MakeCurrent();
            while (bytes.Length > 0)
            {
                int count = Math.Min(bytes.Length, StagingBytes);
                (PinnedMemory staging, CudaEvent read) = (_staging[_nextStaging], _stagingRead[_nextStaging]);
                _nextStaging ^= 1;
                read.Synchronize();
                bytes[..count].CopyTo(new Span<byte>(staging.Pointer, count));
                Driver.Check(
                    Driver.CopyToDevice(destination.Address + (ulong)offset, staging.Pointer, (nuint)count, _stream.Value), "Copying to the GPU");
                read.Record(_stream);
                bytes = bytes[count..];
                offset += count;
            }
        }
    }

    /// <summary>Copies values from the device, when all work queued before is done.</summary>
    public void Download<T>(DeviceMemory source, Span<T> values)
        where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, source.Bytes);
        _device.Context.MakeCurrent();
        fixed (byte* destination = bytes)
        {
            if (bytes.Length > 0)
            {
                Driver.Check(
                    Driver.CopyToHost(destination, source.Address, (nuint)bytes.Length, _stream.Value), "Copying from the GPU");
            }

            _stream.Synchronize();
        }
    }

    /// <summary>Fills memory with copies of one 32-bit word.</summary>
    public void Fill(DeviceMemory destination, uint word, long count)
    {
        if (count > 0)
        {
            _device.Context.MakeCurrent();
            Driver.Check(Driver.FillWords(destination.Address, word, (nuint)count, _stream.Value), "Filling memory on the GPU");
        }
    }

    /// <summary>Waits until all work is done.</summary>
    /// <exception cref="SmileException">Some of it failed.</exception>
    public void Synchronize() => _stream.Synchronize();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Dispose();
        foreach (CudaHandle handle in (CudaHandle[])[.. _staging, .. _stagingRead])
        {
            handle.Dispose();
        }
    }
}
