namespace Smile.ML.Notebooks;

/// <summary>A result that notebooks show as HTML. Its type carries a <c>TypeFormatterSource</c> attribute of <see cref="HtmlFormatterSource"/>.</summary>
internal interface IHtmlDisplay
{
    /// <summary>Gets one HTML element, well-formed as XML.</summary>
    string ToHtml();
}
