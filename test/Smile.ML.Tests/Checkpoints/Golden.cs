namespace Smile.ML.Tests.Checkpoints;

/// <summary>Finds the golden checkpoints, which lie beside the repository in <c>../shared/golden</c>.</summary>
internal static class Golden
{
    /// <summary>Gets the path of a golden file or folder; ends the test as inconclusive where there are none.</summary>
    public static string PathOf(params ReadOnlySpan<string> names)
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Smile.ML.sln")))
        {
            root = root.Parent;
        }

        Assert.IsNotNull(root, "the tests run outside the repository");
        string golden = Path.GetFullPath(Path.Combine(root.FullName, "..", "shared", "golden"));
        string path = Path.Combine([golden, .. names]);
        if (!Path.Exists(path))
        {
            Assert.Inconclusive($"There are no golden checkpoints: looked for {path}.");
        }

        return path;
    }
}
