using System.IO.MemoryMappedFiles;

namespace Smile.ML.Checkpoints;

/// <summary>Bytes of a <see cref="MappedFile"/>, valid until disposed. It owns its mapping, so it is safe from the file's disposal.</summary>
internal readonly unsafe ref struct MappedWindow
{
    private readonly MemoryMappedViewAccessor _view;

    /// <summary>Takes over a view of exactly <paramref name="length"/> bytes.</summary>
    public MappedWindow(MemoryMappedViewAccessor view, int length)
    {
        _view = view;
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        Bytes = new ReadOnlySpan<byte>(start + view.PointerOffset, length);
    }

    /// <summary>Gets the mapped bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>Unmaps the bytes.</summary>
    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
    }
}
