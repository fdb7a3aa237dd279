using System.Buffers;
using System.Security.Cryptography;

namespace Smile.ML.Checkpoints;

/// <summary>
/// An output file or folder that is made under a temporary name beside its final one and renamed when it is complete, so that nothing
/// half-written ever stands under the final name. A lock file tells runs that are alive from dead ones, whose leftovers the next
/// run for the same output removes.
/// </summary>
/// <remarks>
/// Beside <c>out</c> stand <c>.out.smile-(16 hexadecimal digits)</c> with the ending <c>.tmp</c> for the new output, <c>.old</c> for
/// the former one while it is replaced, and <c>.lock</c>, held open until all is done.
/// </remarks>
internal sealed class StagedOutput : IDisposable
{
    private const string TemporarySuffix = ".tmp";
    private const string FormerSuffix = ".old";
    private const string LockSuffix = ".lock";
    private const int IdLength = 16;
    private const int MaxAttempts = 8;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string _formerPath;
    private readonly FileStream _lock;

    private StagedOutput(string finalPath, string stem, FileStream lockFile)
    {
        FinalPath = finalPath;
        TemporaryPath = stem + TemporarySuffix;
        _formerPath = stem + FormerSuffix;
        _lock = lockFile;
    }

    /// <summary>Gets the path that the output will have, links followed.</summary>
    public string FinalPath { get; }

    /// <summary>Gets the path to make the output at. Nothing is there yet.</summary>
    public string TemporaryPath { get; }

    /// <summary>Removes what dead runs left, creates the parent folder and takes a temporary name.</summary>
    /// <exception cref="SmileException">The path names no file or folder, or the place is not writable.</exception>
    public static StagedOutput Create(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            (string finalPath, string parent) = Locate(path);
            Directory.CreateDirectory(parent);
            string prefix = Path.Combine(parent, $".{Path.GetFileName(finalPath)}.smile-");
            RemoveLeftovers(parent, prefix, finalPath);

            for (int attempt = 1; ; attempt++)
            {
                string stem = prefix + RandomNumberGenerator.GetHexString(IdLength, lowercase: true);
                if (TryTake(stem, isLast: attempt >= MaxAttempts) is { } lockFile)
                {
                    return new StagedOutput(finalPath, stem, lockFile);
                }
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be written", e);
        }
    }

    /// <summary>Checks that a file can be written, before anything is computed for it. Creates nothing that stays.</summary>
    /// <exception cref="SmileException">A folder, device or pipe is there, or the place is not writable.</exception>
    public static void RequireWritableFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            (string finalPath, string folder) = Locate(path);
            if (Directory.Exists(finalPath))
            {
                throw new SmileException($"{path}: is a folder; expected a file, or nothing, to write to.");
            }

            while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } parent)
            {
                folder = parent;
            }

            string stem = Path.Combine(folder, $".{Path.GetFileName(finalPath)}.smile-{RandomNumberGenerator.GetHexString(IdLength, lowercase: true)}");
            Lock(stem, FileMode.CreateNew).Dispose();
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be written", e);
        }
    }

    /// <summary>Gives the finished file its final name, replacing a file that has it.</summary>
    /// <exception cref="SmileException">It cannot be renamed.</exception>
    public void PublishFile()
    {
        try
        {
            File.Move(TemporaryPath, FinalPath, overwrite: true);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(FinalPath, "cannot be written", e);
        }
    }

    /// <summary>Refuses to write a folder where a file is, or, unless told to overwrite, where a folder is that is not empty.</summary>
    /// <exception cref="SmileException">The output is in the way.</exception>
    public void RequireFolderFree(bool overwrite)
    {
        if (File.Exists(FinalPath))
        {
            throw new SmileException($"{FinalPath}: is a file; expected a folder, or nothing, to write the output to.");
        }

        if (!overwrite && Directory.Exists(FinalPath) && Directory.EnumerateFileSystemEntries(FinalPath).Any())
        {
            throw new SmileException($"{FinalPath}: exists and is not empty; choose another output, or ask to overwrite it (--force, overwrite: true).");
        }

        if (Directory.Exists(FinalPath) && IsMountPoint(FinalPath))
        {
            throw new SmileException($"{FinalPath}: is where a file system is mounted, and can't be replaced; choose a folder inside it.");
        }
    }

    /// <summary>Gives the finished folder its final name. A former output stays intact until then, and is put back if that fails.</summary>
    /// <exception cref="SmileException">The output is in the way, or cannot be renamed.</exception>
    public void PublishFolder(bool overwrite)
    {
        try
        {
            RequireFolderFree(overwrite);
            if (Directory.Exists(FinalPath))
            {
                Replace();
            }
            else
            {
                Directory.Move(TemporaryPath, FinalPath);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(FinalPath, "cannot be written", e);
        }
    }

    /// <summary>Deletes the output if it has not been published, and lets go of the temporary name.</summary>
    public void Dispose()
    {
        TryDelete(TemporaryPath);
        _lock.Dispose();
    }

    /// <summary>
    /// Takes a name. A file is there an instant before its lock is held; a run that removes leftovers in that instant takes the name for a dead run's,
    /// and the lock file from under it. Null where that may have happened.
    /// </summary>
    private static FileStream? TryTake(string stem, bool isLast)
    {
        FileStream lockFile;
        try
        {
            lockFile = Lock(stem, FileMode.CreateNew);
        }
        catch (IOException) when (!isLast)
        {
            return null;
        }

        if (File.Exists(stem + LockSuffix))
        {
            return lockFile;
        }

        lockFile.Dispose();
        return null;
    }

    /// <summary>Finds where an output goes, and the folder that holds it.</summary>
    private static (string FinalPath, string Parent) Locate(string path)
    {
        if (RegularFile.IsSpecial(path))
        {
            // Renaming a file over it would replace it for everybody.
            throw new SmileException($"{path}: is a device or pipe; expected a file or folder, or nothing, to write to.");
        }

        string finalPath = LinkResolver.Resolve(path);
        return (finalPath, Path.GetDirectoryName(finalPath) ?? throw new SmileException($"{path}: is not a place for output."));
    }

    private static FileStream Lock(string stem, FileMode mode)
        => new(stem + LockSuffix, mode, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);

    private static bool IsMountPoint(string folder)
    {
        try
        {
            return !OperatingSystem.IsWindows() && DriveInfo.GetDrives().Any(drive => Path.TrimEndingDirectorySeparator(drive.Name) == folder);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // Mounts may not be listed everywhere; renaming tells it then.
            return false;
        }
    }

    private static void RemoveLeftovers(string parent, string prefix, string finalPath)
    {
        HashSet<string> stems = [.. Directory.EnumerateFileSystemEntries(parent)
            .Where(path => path.StartsWith(prefix, StringComparison.Ordinal))
            .Select(path => Path.Combine(parent, Path.GetFileNameWithoutExtension(path)))
            .Where(stem => stem.Length == prefix.Length + IdLength && !stem.AsSpan(prefix.Length).ContainsAnyExcept(HexDigits))];
        foreach (string stem in stems)
        {
            try
            {
                using FileStream taken = Lock(stem, FileMode.OpenOrCreate);
                RestoreFormer(stem + FormerSuffix, finalPath);
                TryDelete(stem + TemporarySuffix);
            }
            catch (Exception e) when (RegularFile.IsFileFailure(e))
            {
                // Another run is alive and holds the lock, or we may not touch its files: neither keeps us from our own output.
            }
        }
    }

    private static void RestoreFormer(string formerPath, string finalPath)
    {
        // A run that died between its two renames left the only copy under this name.
        if (Directory.Exists(formerPath) && !Path.Exists(finalPath))
        {
            Directory.Move(formerPath, finalPath);
        }
        else
        {
            TryDelete(formerPath);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            // The name shows what it is; the next run for the same output tries again.
        }
    }

    private void Replace()
    {
        Directory.Move(FinalPath, _formerPath);
        try
        {
            Directory.Move(TemporaryPath, FinalPath);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            PutFormerBack();
            throw;
        }

        TryDelete(_formerPath);
    }

    private void PutFormerBack()
    {
        try
        {
            Directory.Move(_formerPath, FinalPath);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(FinalPath, $"can neither be replaced nor put back, and is now at {_formerPath}", e);
        }
    }
}
