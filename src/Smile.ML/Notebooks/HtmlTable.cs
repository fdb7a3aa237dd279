using System.Net;
using System.Text;

namespace Smile.ML.Notebooks;

/// <summary>An HTML table in the making: a caption, a line of headers, lines of cells; text is encoded.</summary>
internal sealed class HtmlTable
{
    private readonly StringBuilder _html = new("<table>");

    public HtmlTable(string caption, params IEnumerable<string> headers)
    {
        _html.Append("<caption>").Append(WebUtility.HtmlEncode(caption)).Append("</caption><thead>");
        Row("th", headers);
        _html.Append("</thead><tbody>");
    }

    /// <summary>Adds a line; the first cell is its header.</summary>
    public HtmlTable Add(string header, params IEnumerable<string> cells)
    {
        Row("td", [header, .. cells]);
        return this;
    }

    public override string ToString() => $"{_html}</tbody></table>";

    private void Row(string element, IEnumerable<string> cells)
    {
        _html.Append("<tr>");
        string style = " style=\"text-align:left\"";
        foreach (string cell in cells)
        {
            _html.Append('<').Append(element).Append(style).Append('>').Append(WebUtility.HtmlEncode(cell)).Append("</").Append(element).Append('>');
            style = " style=\"text-align:right\"";
        }

        _html.Append("</tr>");
    }
}
