using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A private folder for temporary files. It goes when it is disposed, or when the process exits normally; whoever needs
/// its files longer than their names keeps them open. A lock file tells folders in use from those of
/// killed processes, which the first folder of another process in the same place removes.
/// </summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <summary>What the names of these folders begin with.</summary>
    public const string Prefix = "smile-ml-scratch-";

    private const string LockName = ".lock";
    private const int IdLength = 16;

    private static readonly ConcurrentDictionary<string, ScratchFolder> Existing = CreateRegistry();
    private static readonly ConcurrentDictionary<string, bool> Tidied = new(StringComparer.Ordinal);

    private readonly FileStream _lock;

    /// <summary>Creates a folder.</summary>
    /// <param name="root">The folder to create it in; the system's temporary folder where null.</param>
    /// <exception cref="SmileException">The place is not writable.</exception>
    public ScratchFolder(string? root = null)
    {
        root ??= System.IO.Path.GetTempPath();
        if (Tidied.TryAdd(root, true))
        {
            RemoveLeftovers(root);
        }

        try
        {
            Path = System.IO.Path.Combine(System.IO.Path.GetFullPath(root), Prefix + RandomNumberGenerator.GetHexString(IdLength, lowercase: true));
            CreatePrivate(Path);
            _lock = Lock(Path, FileMode.CreateNew);

            // Only now others look at the folder.
            _lock.Write(System.Text.Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)));
            _lock.Flush();
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(root, "a folder for temporary files cannot be made there", e);
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

    /// <summary>Removes the folders whose locks nobody holds. One without a written lock file is none of ours, or just being made.</summary>
    internal static void RemoveLeftovers(string root)
    {
        try
        {
            foreach (string folder in Directory.EnumerateDirectories(root, Prefix + "*"))
            {
                TryRemove(folder);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // Not a place to look into; whether folders can be made there is told whoever makes one.
        }
    }

    private static void TryRemove(string folder)
    {
        try
        {
            // The length is asked before the file is opened: a pipe reports 0, and opening it would wait for a reader.
            if (new FileInfo(System.IO.Path.Combine(folder, LockName)).Length > 0)
            {
                Lock(folder, FileMode.Open).Dispose();
                Directory.Delete(folder, recursive: true);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // In use, another user's, or gone already.
        }
    }

    private static void CreatePrivate(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static FileStream Lock(string folder, FileMode mode)
        => new(System.IO.Path.Combine(folder, LockName), mode, FileAccess.Write, FileShare.None, bufferSize: 0);

    private static ConcurrentDictionary<string, ScratchFolder> CreateRegistry()
    {
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
