using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>
/// The work of one backend, in one stream: kernels, copies, fills, cuBLASLt's products. From any thread; it runs in the order of the
/// calls. Host memory of an upload is free again on return. With graphs, work may be held back until somebody waits for it, or
/// <see cref="Submit"/> is called.
/// </summary>
internal sealed unsafe class CudaQueue : IDisposable
{
    private const int StagingBytes = 4 << 20;
    private readonly CudaDevice _device;
    private readonly CublasLt? _cublasLt;
    private readonly CudaStream _stream;
    private readonly CudaGraphRecorder? _recorder;

    // Two, so that one is filled while the other is read.
    private readonly PinnedMemory[] _staging;
    private readonly CudaEvent[] _stagingRead;
    private readonly Lock _lock = new();
    private int _nextStaging;

    // Why work was lost that nobody has waited for yet.
    private SmileException? _lost;
    private bool _disposed;

    /// <summary>Makes the stream.</summary>
    /// <param name="device">The device.</param>
    /// <param name="cublasLt">What computes products; null where there are none. Belongs to the caller.</param>
    /// <param name="useGraphs">Whether sequences that come again become graphs.</param>
    public CudaQueue(CudaDevice device, CublasLt? cublasLt, bool useGraphs)
    {
        _device = device;
        _cublasLt = cublasLt;
        _stream = new CudaStream(device.Context);
        _staging = [new PinnedMemory(device.Context, StagingBytes), new PinnedMemory(device.Context, StagingBytes)];
        _stagingRead = [new CudaEvent(device.Context), new CudaEvent(device.Context)];
        _recorder = useGraphs ? new CudaGraphRecorder(device, _stream, cublasLt, Issue) : null;
    }

    /// <summary>Gets what makes graphs; null where that is off.</summary>
    internal CudaGraphRecorder? Recorder => _recorder;

    private CudaDriver Driver => _device.Context.Driver;

    /// <summary>Queues a kernel.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="columns">Blocks of the grid along x, 0 for no work.</param>
    /// <param name="rows">Blocks along y, likewise; at most 65535.</param>
    /// <param name="arguments">In the order of the kernel's.</param>
    public void Launch(in CudaKernel kernel, long columns, long rows, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (columns == 0 || rows == 0)
        {
            return;
        }

        nint function = _device.Kernel(kernel);
        Span<ulong> words = stackalloc ulong[CudaOperation.WordsOfKernel(arguments)];
        CudaOperation.WriteKernel(words, function, checked((uint)columns), checked((uint)rows), kernel.Threads, kernel.SharedBytes, arguments);
        Add(words, default);
    }

    /// <summary>Queues a product by cuBLASLt.</summary>
    public void Multiply(in CublasLtProduct product) => Add(CudaOperation.Product(product), default);

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
        for (ulong to = destination.Address + (ulong)offset; bytes.Length > 0;)
        {
            int count = Math.Min(bytes.Length, StagingBytes);
            Add(CudaOperation.Upload(to, count), bytes[..count]);
            bytes = bytes[count..];
            to += (ulong)count;
        }
    }

    /// <summary>Copies values from the device, when all work queued before is done.</summary>
    public void Download<T>(DeviceMemory source, Span<T> values)
        where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, source.Bytes);
        Submit();

        // Not under the lock: the driver may wait here.
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
            Add(CudaOperation.Fill(destination.Address, word, count), default);
        }
    }

    /// <summary>Sees to it that nothing is held back; doesn't wait.</summary>
    public void Submit()
    {
        lock (_lock)
        {
            if (_lost is not null)
            {
                SmileException lost = _lost;
                _lost = null;
                ExceptionDispatchInfo.Throw(lost);
            }

            if (!_disposed)
            {
                _device.Context.MakeCurrent();
                _recorder?.Submit();
            }
        }
    }

    /// <summary>Sets a mark behind all work so far.</summary>
    public void Record(CudaEvent mark)
    {
        Submit();
        mark.Record(_stream);
    }

    /// <summary>Waits until all work is done.</summary>
    /// <exception cref="SmileException">Some of it failed.</exception>
    public void Synchronize()
    {
        Submit();
        _stream.Synchronize();
    }

    /// <summary>
    /// Waits until all work is done or has failed, so that what it used can be released. Doesn't throw: work that failed, or couldn't be
    /// queued, is an error for whoever waits for its results.
    /// </summary>
    public void TrySynchronize()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            try
            {
                _device.Context.MakeCurrent();
                _recorder?.Submit();
            }
            catch (SmileException exception)
            {
                _lost ??= exception;
            }

            _stream.TrySynchronize();
        }
    }

    /// <summary>Waits for what is queued and frees the stream; work that is held back is dropped.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;

            // Destroying a stream doesn't wait, nor does freeing page-locked memory.
            _stream.TrySynchronize();
            _recorder?.Dispose();
            _stream.Dispose();
            foreach (CudaHandle handle in (CudaHandle[])[.. _staging, .. _stagingRead])
            {
                handle.Dispose();
            }
        }
    }

    private void Add(ReadOnlySpan<ulong> operation, ReadOnlySpan<byte> content)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _device.Context.MakeCurrent();
            if (_recorder is null)
            {
                Issue(operation, content);
            }
            else
            {
                _recorder.Add(operation, content);
            }
        }
    }

    private void Issue(ReadOnlySpan<ulong> operation, ReadOnlySpan<byte> content)
    {
        if (content.Length == 0)
        {
            CudaOperation.Issue(operation, _device, _stream, _cublasLt, null);
            return;
        }

        (PinnedMemory staging, CudaEvent read) = (_staging[_nextStaging], _stagingRead[_nextStaging]);
        _nextStaging ^= 1;
        read.Synchronize();
        content.CopyTo(new Span<byte>(staging.Pointer, content.Length));
        CudaOperation.Issue(operation, _device, _stream, _cublasLt, staging.Pointer);
        read.Record(_stream);
    }
}
