using System.Collections.Concurrent;

namespace Smile.ML;

/// <summary>
/// A private folder under the system's temporary folder. It goes when it is disposed, or when the process exits normally; whoever needs
/// its files longer than their names keeps them open (see <see cref="ModelFiles"/>).
/// </summary>
internal sealed class ScratchFolder : IDisposable
{
    private static readonly ConcurrentDictionary<string, ScratchFolder> Existing = CreateRegistry();

    public ScratchFolder()
    {
        Path = Directory.CreateTempSubdirectory("smile-").FullName;
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
