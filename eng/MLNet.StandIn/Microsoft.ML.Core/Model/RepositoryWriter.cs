using System.IO.Compression;

namespace Microsoft.ML;

/// <summary>Writes a model's entries to a zip archive.</summary>
internal sealed class RepositoryWriter(Stream stream, string tempDirectory) : IDisposable
{
    private readonly ZipArchive _archive = new(stream, ZipArchiveMode.Create, leaveOpen: true);

    /// <summary>Writes one entry. The action may seek, and may write other entries.</summary>
    public void Write(string directory, string name, Action<Stream> write)
    {
        using var buffer = TemporaryFile.Create(tempDirectory);
        write(buffer);
        buffer.Position = 0;
        using var entry = _archive.CreateEntry(RepositoryPath.Combine(directory, name)).Open();
        buffer.CopyTo(entry);
    }

    public void Dispose() => _archive.Dispose();
}
