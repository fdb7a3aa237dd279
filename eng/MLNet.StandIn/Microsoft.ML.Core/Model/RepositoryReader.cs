using System.IO.Compression;

namespace Microsoft.ML;

/// <summary>Reads a model's entries from a zip archive.</summary>
internal sealed class RepositoryReader(Stream stream, string tempDirectory) : IDisposable
{
    private readonly ZipArchive _archive = new(stream, ZipArchiveMode.Read, leaveOpen: true);

    /// <summary>The entry as a seekable stream of its own, or null if there is none.</summary>
    public Stream OpenOrNull(string directory, string name)
    {
        if (_archive.GetEntry(RepositoryPath.Combine(directory, name)) is not { } entry)
        {
            return null;
        }
        using var source = entry.Open();
        var copy = TemporaryFile.Create(tempDirectory);
        source.CopyTo(copy);
        copy.Position = 0;
        return copy;
    }

    public void Dispose() => _archive.Dispose();
}
