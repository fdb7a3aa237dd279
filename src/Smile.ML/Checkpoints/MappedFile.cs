using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A memory-mapped file, read through short-lived windows rather than one mapping of the whole: a process that reads a large model
/// once does not come to hold all of it in its resident set, and no pointer outlives the read that asked for it.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly MemoryMappedFile _mapping;

    private MappedFile(string path, SafeFileHandle handle, MemoryMappedFile mapping, long length)
    {
        Path = path;
        Length = length;
        _handle = handle;
        _mapping = mapping;
    }

    /// <summary>Gets the path that the file was opened by.</summary>
    public string Path { get; }

    /// <summary>Gets the length in bytes that the file had when it was opened.</summary>
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="SmileException">It is missing, empty, a folder or not readable.</exception>
    public static MappedFile Open(string path)
    {
        SafeFileHandle handle = RegularFile.OpenRead(path, out long length);
        try
        {
            var mapping = MemoryMappedFile.CreateFromFile(
                handle, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            return new MappedFile(path, handle, mapping, length);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            handle.Dispose();
            throw RegularFile.Failure(path, "cannot be mapped", e);
        }
    }

    /// <summary>Maps part of the file until the window is disposed, even if the file is disposed before.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">The number of bytes, at least 1.</param>
    /// <returns>The window.</returns>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    /// <exception cref="SmileException">The file has become shorter since it was opened, or cannot be mapped.</exception>
    public MappedWindow Map(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        bool referenced = false;
        try
        {
            // Holds the descriptor open while it is used: a racing Dispose either waits for this or makes it throw.
            _handle.DangerousAddRef(ref referenced);

            // Touching a page behind the end of a file kills the process, so a file that was cut since is refused here.
            long lengthNow = RandomAccess.GetLength(_handle);
            if (lengthNow < offset + length)
            {
                throw new SmileException($"{Path}: shrank from {Length} to {lengthNow} bytes since it was opened.");
            }

            return new MappedWindow(_mapping.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read), length);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(Path, "cannot be mapped", e);
        }
        finally
        {
            if (referenced)
            {
                _handle.DangerousRelease();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mapping.Dispose();
        _handle.Dispose();
    }
}
