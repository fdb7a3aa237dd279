using Microsoft.Win32.SafeHandles;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A file read by position. It is not mapped into memory: unmapping interrupts every other thread of the process, and a file that is cut
/// while it is mapped kills it. Safe to read from several threads at once.
/// </summary>
internal sealed class RandomAccessFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private RandomAccessFile(string path, SafeFileHandle handle, long length)
    {
        Path = path;
        Length = length;
        _handle = handle;
    }

    /// <summary>Gets the path that the file was opened by.</summary>
    public string Path { get; }

    /// <summary>Gets the length in bytes that the file had when it was opened.</summary>
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="SmileException">It is missing, empty, a folder or not readable.</exception>
    public static RandomAccessFile Open(string path)
    {
        SafeFileHandle handle = RegularFile.OpenRead(path, out long length);
        return new RandomAccessFile(path, handle, length);
    }

    /// <summary>Reads part of the file.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="destination">Receives as many bytes as it has.</param>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    /// <exception cref="SmileException">The file has become shorter since it was opened, or cannot be read.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(_handle, destination, offset);
                if (count == 0)
                {
                    throw new SmileException($"{Path}: shrank from {Length} to {RandomAccess.GetLength(_handle)} bytes since it was opened.");
                }

                destination = destination[count..];
                offset += count;
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(Path, "cannot be read", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
