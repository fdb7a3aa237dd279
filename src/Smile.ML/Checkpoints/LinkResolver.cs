namespace Smile.ML.Checkpoints;

/// <summary>Follows symbolic links, those of folders on the way included.</summary>
internal static class LinkResolver
{
    private const int MaxLinks = 40;

    /// <summary>Gets how resolved paths compare where one must not be taken for two: where two cases of a name may be one file, they count as one.</summary>
    public static StringComparison Comparison => OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;

    /// <summary>Gets the path that a path leads to. What does not exist is taken for no link.</summary>
    /// <exception cref="SmileException">There are so many links that they must be going round in circles.</exception>
    public static string Resolve(string path)
    {
        string resolved = Path.GetPathRoot(Path.GetFullPath(path))!;
        var pending = new Stack<string>();
        Push(pending, Path.GetFullPath(path));
        int links = 0;
        while (pending.TryPop(out string? component))
        {
            if (component == "..")
            {
                resolved = Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }

            string candidate = Path.Combine(resolved, component);
            string? target = LinkTarget(candidate);
            if (target is null)
            {
                resolved = candidate;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw new SmileException($"{path}: leads through more than {MaxLinks} symbolic links.");
            }

            if (Path.IsPathRooted(target))
            {
                resolved = Path.GetPathRoot(Path.GetFullPath(target))!;
            }

            Push(pending, target);
        }

        return resolved;
    }

    private static void Push(Stack<string> pending, string path)
    {
        string relative = path[(Path.GetPathRoot(path)?.Length ?? 0)..];
        string[] components = relative.Split(
            [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        foreach (string component in components.Where(component => component != ".").Reverse())
        {
            pending.Push(component);
        }
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be read", e);
        }
    }
}
