using System.Text.Json;

namespace Smile.ML.Tool;

/// <summary>How results are printed.</summary>
internal static class Output
{
    /// <summary>Indented JSON with camel-case names.</summary>
    public static readonly JsonSerializerOptions Json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
}
