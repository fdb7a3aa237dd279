namespace Smile.ML.Cuda.Tests;

/// <summary>The goldens lie beside the repository, in <c>../shared/golden</c>.</summary>
internal static class GoldenFolders
{
    /// <summary>Gets a network's folder; ends the test as inconclusive where there is none.</summary>
    public static string Find(string network)
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Smile.ML.sln")))
        {
            root = root.Parent;
        }

        string path = Path.GetFullPath(Path.Combine(root!.FullName, "..", "shared", "golden", network));
        if (!Directory.Exists(path))
        {
            Assert.Inconclusive($"There are no golden checkpoints: looked for {path}.");
        }

        return path;
    }
}
