using System.IO.Compression;

namespace Microsoft.ML;

/// <summary>Reads a model's entries from a zip archive.</summary>
internal sealed class RepositoryReader : IDisposable
{
    private readonly ZipArchive _archive;
    private readonly string _tempDirectory;

    /// <exception cref="FormatException">The stream holds no zip archive.</exception>
    public RepositoryReader(Stream stream, string tempDirectory)
    {
        _tempDirectory = tempDirectory;
        try
        {
            _archive = new(stream, ZipArchiveMode.Read, leaveOpen: true);
        }
        catch (InvalidDataException ex)
        {
            throw new FormatException("Corrupt model file: it is no zip archive.", ex);
        }
    }

    /// <summary>The entry as a seekable stream of its own, or null if there is none.</summary>
    public Stream OpenOrNull(string directory, string name)
    {
        if (_archive.GetEntry(RepositoryPath.Combine(directory, name)) is not { } entry)
        {
            return null;
        }
        using var source = entry.Open();
        var copy = TemporaryFile.Create(_tempDirectory);
        source.CopyTo(copy);
        copy.Position = 0;
        return copy;
    }

    public void Dispose() => _archive.Dispose();
}
