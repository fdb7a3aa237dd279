namespace Smile.ML.Checkpoints;

/// <summary>Gives the paths of a model folder's files, and keeps names and links that come with a model from leading elsewhere.</summary>
internal sealed class ModelFolder
{
    /// <summary>The folder of Hugging Face's download cache that holds a folder per revision.</summary>
    internal const string SnapshotsName = "snapshots";

    // The longest that common file systems allow.
    private const int MaxNameLength = 255;

    private readonly string[] _allowedRoots;

    private ModelFolder(string path, string[] allowedRoots)
    {
        Path = path;
        _allowedRoots = allowedRoots;
    }

    /// <summary>Gets the folder's path as it was given.</summary>
    public string Path { get; }

    /// <summary>Finds a folder.</summary>
    /// <exception cref="SmileException">There is no such folder.</exception>
    public static ModelFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
        {
            throw new SmileException($"{path}: {(File.Exists(path) ? "is a file; expected a folder" : "there is no such folder")}.");
        }

        string resolved = LinkResolver.Resolve(path);

        // Hugging Face's download cache keeps the files in <model>/blobs and links to them from <model>/snapshots/<revision>.
        string? parent = System.IO.Path.GetDirectoryName(resolved);
        return System.IO.Path.GetFileName(parent) == SnapshotsName
            ? new ModelFolder(path, [resolved, System.IO.Path.Combine(System.IO.Path.GetDirectoryName(parent)!, "blobs")])
            : new ModelFolder(path, [resolved]);
    }

    /// <summary>Gets the path of a file of the folder, without looking whether it exists.</summary>
    /// <param name="fileName">The file's name.</param>
    /// <param name="origin">What names the file, for messages.</param>
    /// <returns>The path.</returns>
    /// <exception cref="SmileException">The name is not a plain file name, or leads out of the folder through links.</exception>
    public string PathOf(string fileName, string origin)
    {
        if (fileName.Length is 0 or > MaxNameLength || fileName is "." or ".." || fileName.AsSpan().ContainsAny("/\\:\0"))
        {
            throw new SmileException($"{origin}: found the file name {ErrorText.Quote(fileName)}; expected the name of a file in the same folder.");
        }

        string path = System.IO.Path.Combine(Path, fileName);
        string resolved = LinkResolver.Resolve(path);
        return _allowedRoots.Any(root => resolved.StartsWith(WithSeparator(root), StringComparison.Ordinal))
            ? path
            : throw new SmileException($"{path}: is a link that leads out of the folder, to {resolved}.");
    }

    /// <summary>Ends a folder's path with a separator, so that what begins with it lies inside.</summary>
    internal static string WithSeparator(string folder)
        => System.IO.Path.EndsInDirectorySeparator(folder) ? folder : folder + System.IO.Path.DirectorySeparatorChar;
}
