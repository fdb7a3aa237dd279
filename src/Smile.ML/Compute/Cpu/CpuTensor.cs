namespace Smile.ML.Compute.Cpu;

/// <summary>A matrix in native memory, aligned to a cache line, that goes back to its backend's cache when disposed.</summary>
internal sealed unsafe class CpuTensor : Tensor
{
    private readonly TensorCache _cache;
    private readonly NativeBuffer _buffer;
    private int _rented;

    internal CpuTensor(TensorCache cache, int sizeClass)
    {
        _cache = cache;
        SizeClass = sizeClass;
        _buffer = new NativeBuffer(TensorCache.Capacity(sizeClass));
        Pointer = _buffer.Pointer;
    }

    /// <summary>Gets the first element.</summary>
    public float* Pointer { get; }

    /// <summary>Gets the index of the capacity among the cache's capacities.</summary>
    internal int SizeClass { get; }

    /// <summary>Gets the elements of one row.</summary>
    public Span<float> Row(int row) => new(RowPointer(row), Columns);

    /// <summary>Gets a pointer to one row.</summary>
    public float* RowPointer(int row) => Pointer + ((nint)row * Columns);

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _rented, 0) == 1)
        {
            _cache.Return(this);
        }
    }

    /// <summary>Marks the tensor as in use, with a shape that its capacity holds.</summary>
    internal CpuTensor Take(int rows, int columns)
    {
        Rows = rows;
        Columns = columns;
        _rented = 1;
        return this;
    }

    /// <summary>Frees the memory for good.</summary>
    internal void Free() => _buffer.Dispose();
}
