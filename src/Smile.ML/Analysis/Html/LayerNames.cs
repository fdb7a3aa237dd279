namespace Smile.ML.Analysis.Html;

/// <summary>Short names of a network's layers, for charts.</summary>
internal static class LayerNames
{
    /// <summary>
    /// Shortens names to the block's number and the last part (<c>encoder.layers.3.mlp.fc1</c> becomes <c>3 fc1</c>), or the last part
    /// alone; where that makes two the same, all stay as they are.
    /// </summary>
    public static IReadOnlyList<string> Shorten(IEnumerable<string> names)
    {
        string[] full = [.. names];
        string[] brief = Array.ConvertAll(full, Shorten);
        return brief.Distinct().Count() == brief.Length ? brief : full;
    }

    private static string Shorten(string name)
    {
        string[] parts = name.Split('.');
        string? block = Array.Find(parts, part => part.All(char.IsAsciiDigit));
        return block is null || parts[^1] == block ? string.Join(' ', parts.TakeLast(block is null ? 1 : 2)) : $"{block} {parts[^1]}";
    }
}
