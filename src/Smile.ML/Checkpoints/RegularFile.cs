using System.Formats.Tar;
using System.Security;
using Microsoft.Win32.SafeHandles;

namespace Smile.ML.Checkpoints;

/// <summary>Opens, reads and writes the files of a checkpoint; every failure is a <see cref="SmileException"/> that names the path.</summary>
internal static class RegularFile
{
    /// <summary>Opens a file that is not empty for reading.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="length">Its length in bytes, at least 1.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="SmileException">It is missing, empty, a folder or not readable.</exception>
    public static SafeFileHandle OpenRead(string path, out long length)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle? file = null;
        try
        {
            // The length is asked before the file is opened: pipes and devices report 0, and opening a pipe waits for a writer.
            if (!File.Exists(path))
            {
                throw new SmileException(Directory.Exists(path) ? $"{path}: is a folder; expected a file." : $"{path}: there is no such file.");
            }

            var info = new FileInfo(path);
            info = info.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? info;
            if (info.Length > 0)
            {
                file = File.OpenHandle(path);
                length = RandomAccess.GetLength(file);
                if (length > 0)
                {
                    return file;
                }
            }
        }
        catch (Exception e) when (IsFileFailure(e))
        {
            file?.Dispose();
            throw Failure(path, "cannot be read", e);
        }

        file?.Dispose();
        throw new SmileException(IsSpecial(path) ? $"{path}: is a device or pipe; expected a file." : $"{path}: the file is empty.");
    }

    /// <summary>Tells whether there is something that is neither a regular file nor a folder: a device, a pipe, a socket.</summary>
    /// <param name="path">The path; links are followed.</param>
    public static bool IsSpecial(string path)
    {
        string target = LinkResolver.Resolve(path);
        if (OperatingSystem.IsWindows() || !File.Exists(path) || (File.Exists(target) && new FileInfo(target).Length > 0))
        {
            return false;
        }

        try
        {
            // .NET tells a file's kind only where it archives one. What is not regular has no content to archive, nor has an empty file.
            using var archive = new MemoryStream();
            using (var writer = new TarWriter(archive, leaveOpen: true))
            {
                writer.WriteEntry(target, "file");
            }

            archive.Position = 0;
            using var reader = new TarReader(archive);
            return reader.GetNextEntry()?.EntryType is not (TarEntryType.RegularFile or TarEntryType.Directory);
        }
        catch (UnauthorizedAccessException)
        {
            // Only a regular file is opened.
            return false;
        }
        catch (Exception e) when (IsFileFailure(e))
        {
            return true;
        }
    }

    /// <summary>Reads a whole file of limited size.</summary>
    /// <exception cref="SmileException">It cannot be read or is longer than <paramref name="maxLength"/>.</exception>
    public static byte[] ReadAllBytes(string path, int maxLength)
    {
        using RandomAccessFile file = RandomAccessFile.Open(path);
        if (file.Length > maxLength)
        {
            throw new SmileException($"{path}: found {file.Length} bytes; expected at most {maxLength}.");
        }

        byte[] content = new byte[file.Length];
        file.Read(0, content);
        return content;
    }

    /// <summary>Writes a new file and makes it durable.</summary>
    /// <exception cref="SmileException">The file exists or cannot be written.</exception>
    public static void WriteNew(string path, ReadOnlySpan<byte> content)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            RandomAccess.Write(file, content, 0);
            RandomAccess.FlushToDisk(file);
        }
        catch (Exception e) when (IsFileFailure(e))
        {
            throw Failure(path, "cannot be written", e);
        }
    }

    /// <summary>Tells whether an exception is the file system's, as opposed to a mistake of ours.</summary>
    public static bool IsFileFailure(Exception e)
        => e is IOException or UnauthorizedAccessException or SecurityException or NotSupportedException or ArgumentException;

    /// <summary>Turns the file system's exception into one that names the path and what could not be done.</summary>
    public static SmileException Failure(string path, string problem, Exception cause) => new($"{path}: {problem}: {cause.Message}", cause);
}
