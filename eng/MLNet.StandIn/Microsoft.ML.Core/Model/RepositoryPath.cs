namespace Microsoft.ML;

internal static class RepositoryPath
{
    public static string Combine(string directory, string name) => string.IsNullOrEmpty(directory) ? name : $"{directory}/{name}";
}
