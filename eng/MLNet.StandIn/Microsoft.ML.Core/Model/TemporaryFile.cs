namespace Microsoft.ML;

/// <summary>A seekable stream for data of any size that leaves nothing behind.</summary>
internal static class TemporaryFile
{
    public static FileStream Create(string directory)
    {
        string path = Path.Combine(directory, Path.GetRandomFileName());
        return new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
    }
}
