using System.Collections.Concurrent;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A private folder under the system's temporary folder. It goes when it is disposed, or when the process exits normally; whoever needs
/// its files longer than their names keeps them open (see <see cref="ModelFiles"/>). A lock file tells folders in use from those of
/// killed processes, which the first folder of another process removes.
/// </summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <summary>What the names of these folders begin with.</summary>
    public const string Prefix = "smile-ml-scratch-";

    private const int MaxAttempts = 8;
    private const string LockName = ".lock";

    private static readonly ConcurrentDictionary<string, ScratchFolder> Existing = CreateRegistry();

    private readonly FileStream _lock;

    /// <summary>Creates a folder.</summary>
    /// <exception cref="SmileException">The system's temporary folder is not writable.</exception>
    public ScratchFolder()
    {
        try
        {
            for (int attempt = 1; ; attempt++)
            {
                Path = Directory.CreateTempSubdirectory(Prefix).FullName;
                if (TryTake(Path, isLast: attempt >= MaxAttempts) is { } held)
                {
                    _lock = held;
                    break;
                }
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(System.IO.Path.GetTempPath(), "a folder for temporary files cannot be made there", e);
        }

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
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            return;
        }

        Existing.TryRemove(Path, out _);
    }

    /// <summary>
    /// Takes a new folder. Another process that removes leftovers in the instant between the lock file's creation and its locking takes the folder for
    /// a leftover. Null where that may have happened.
    /// </summary>
    private static FileStream? TryTake(string folder, bool isLast)
    {
        FileStream held;
        try
        {
            held = Lock(folder, FileMode.CreateNew);
        }
        catch (IOException) when (!isLast)
        {
            return null;
        }

        if (isLast || File.Exists(held.Name))
        {
            return held;
        }

        held.Dispose();
        return null;
    }

    private static FileStream Lock(string folder, FileMode mode)
        => new(System.IO.Path.Combine(folder, LockName), mode, FileAccess.Write, FileShare.None, bufferSize: 0);

    /// <summary>Removes the folders whose locks nobody holds. One without a lock file is none of ours, or just being made.</summary>
    internal static void RemoveLeftovers()
    {
        try
        {
            foreach (string folder in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*"))
            {
                TryRemove(folder);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // Where folders can't be listed, none can be made: that is told whoever asks for one.
        }
    }

    private static void TryRemove(string folder)
    {
        try
        {
            using (Lock(folder, FileMode.Open))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // In use, another user's, or gone already.
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
