using System.Collections.Concurrent;

namespace Smile.ML;

/// <summary>
/// A private folder under the system's temporary folder. It goes when it is disposed, or when the process exits normally; whoever needs
/// its files longer than their names keeps them open (see <see cref="ModelFiles"/>). A lock file tells folders in use from those of
/// killed processes, which the first folder of another process removes.
/// </summary>
internal sealed class ScratchFolder : IDisposable
{
    private const string Prefix = "smile-";
    private const string LockName = ".lock";

    private static readonly ConcurrentDictionary<string, ScratchFolder> Existing = CreateRegistry();

    private readonly FileStream _lock;

    public ScratchFolder()
    {
        Path = Directory.CreateTempSubdirectory(Prefix).FullName;
        _lock = Lock(Path, FileMode.CreateNew);
        Existing[Path] = this;
    }

    /// <summary>Gets the folder's path.</summary>
    public string Path { get; }

    /// <summary>
    /// Deletes the folder with all it holds. Where the system refuses because files are open, the exit of the process tries again; it is
    /// no failure of what the folder was used for.
    /// </summary>
    public void Dispose()
    {
        if (!Existing.ContainsKey(Path))
        {
            return;
        }

        _lock.Dispose();
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Gone already.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return;
        }

        Existing.TryRemove(Path, out _);
    }

    private static FileStream Lock(string folder, FileMode mode)
        => new(System.IO.Path.Combine(folder, LockName), mode, FileAccess.Write, FileShare.None, bufferSize: 0);

    /// <summary>Removes the folders whose locks nobody holds. One without a lock file is none of ours, or just being made.</summary>
    internal static void RemoveLeftovers()
    {
        foreach (string folder in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*"))
        {
            try
            {
                Lock(folder, FileMode.Open).Dispose();
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // In use, another user's, or gone already.
            }
        }
    }

    private static ConcurrentDictionary<string, ScratchFolder> CreateRegistry()
    {
        RemoveLeftovers();
        var existing = new ConcurrentDictionary<string, ScratchFolder>(StringComparer.Ordinal);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            foreach (ScratchFolder folder in existing.Values)
            {
                folder.Dispose();
            }
        };
        return existing;
    }
}
