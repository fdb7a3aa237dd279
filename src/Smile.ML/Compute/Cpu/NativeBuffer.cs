using System.Runtime.InteropServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// A block of floats outside the managed heap, aligned to a cache line. Released by <see cref="SafeHandle.Dispose()"/> or, if that is
/// forgotten, by the finalizer.
/// </summary>
internal sealed unsafe class NativeBuffer : SafeHandle
{
    /// <summary>The alignment in bytes: a cache line, and the widest vector.</summary>
    public const int Alignment = 64;

    /// <summary>Allocates a block; its content is undefined.</summary>
    /// <param name="length">The number of floats.</param>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public NativeBuffer(long length)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        SetHandle((nint)RecycledMemory.Allocate(Bytes, Alignment));
    }

    /// <summary>Gets the number of floats.</summary>
    public long Length { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>Gets the first float. Valid until the buffer is disposed; keep the buffer reachable while using it.</summary>
    /// <exception cref="ObjectDisposedException">The buffer is disposed.</exception>
    public float* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (float*)handle;
        }
    }

    private nuint Bytes => checked((nuint)Math.Max(Length, 1) * sizeof(float));

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        RecycledMemory.Free((void*)handle, Bytes);
        return true;
    }
}
