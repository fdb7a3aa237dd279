using System.Runtime.InteropServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>A matrix in native memory, aligned to 64 bytes, that goes back to its backend's cache when disposed.</summary>
internal sealed unsafe class CpuTensor : Tensor
{
    private readonly TensorCache _cache;
    private int _rented;

    internal CpuTensor(TensorCache cache, int sizeClass)
    {
        _cache = cache;
        SizeClass = sizeClass;
        Pointer = (float*)NativeMemory.AlignedAlloc((nuint)TensorCache.Capacity(sizeClass) * sizeof(float), 64);
    }

    ~CpuTensor() => Dispose(disposing: false);

    /// <summary>Gets the first element.</summary>
    public float* Pointer { get; private set; }

    /// <summary>Gets the index of the capacity among the cache's capacities.</summary>
    internal int SizeClass { get; }

    /// <summary>Gets the elements of one row.</summary>
    public Span<float> Row(int row) => new(Pointer + (nint)row * Columns, Columns);

    /// <summary>Gets a pointer to one row.</summary>
    public float* RowPointer(int row) => Pointer + (nint)row * Columns;

    internal CpuTensor Take(int rows, int columns)
    {
        Rows = rows;
        Columns = columns;
        _rented = 1;
        return this;
    }

    /// <summary>Frees the memory for good.</summary>
    internal void Free()
    {
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing)
        {
            NativeMemory.AlignedFree(Pointer);
            Pointer = null;
        }
        else if (Interlocked.Exchange(ref _rented, 0) == 1)
        {
            _cache.Return(this);
            GC.ReRegisterForFinalize(this);
        }
    }
}
