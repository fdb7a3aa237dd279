using System.Diagnostics.CodeAnalysis;

namespace Smile.ML.Notebooks;

/// <summary>Makes the formatter of every <see cref="IHtmlDisplay"/>. .NET Interactive calls it by reflection.</summary>
internal sealed class HtmlFormatterSource
{
    /// <summary>Makes the formatters.</summary>
    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Called on an instance, by convention.")]
    public IEnumerable<object> CreateTypeFormatters() => [new HtmlFormatter()];
}
