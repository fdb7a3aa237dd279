using System.Diagnostics.CodeAnalysis;

namespace Smile.ML.Notebooks;

/// <summary>Writes an <see cref="IHtmlDisplay"/>. .NET Interactive calls it by reflection.</summary>
[SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Called on an instance, by convention.")]
internal sealed class HtmlFormatter
{
    /// <summary>Gets what is written.</summary>
    public string MimeType => "text/html";

    /// <summary>Writes a value; returns whether it was one of ours.</summary>
    public bool Format(object instance, TextWriter writer)
    {
        if (instance is not IHtmlDisplay display)
        {
            return false;
        }

        writer.Write(display.ToHtml());
        return true;
    }
}
