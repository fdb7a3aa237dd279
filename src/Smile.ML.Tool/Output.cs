using System.Text.Json;

namespace Smile.ML.Tool;

/// <summary>How results are printed.</summary>
internal static class Output
{
    /// <summary>Indented JSON with camel-case names.</summary>
    public static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>A head that is experts' own, and whose.</summary>
    public static string TaskHead(KeyValuePair<string, IReadOnlyList<string>> head)
        => $"  {head.Key}: {(head.Value.Count > 0 ? string.Join(", ", head.Value) : "of the pretrained model alone, left out")}";
}
