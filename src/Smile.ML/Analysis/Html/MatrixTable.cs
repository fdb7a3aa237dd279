using System.Globalization;

namespace Smile.ML.Analysis.Html;

/// <summary>A heat map as a table: its numbers can be read, selected and spoken. Blue is for positive values, orange for negative ones.</summary>
internal static class MatrixTable
{
    /// <summary>Above this share of the scale, text is in the colour that stands on the accent.</summary>
    private const double Strong = 0.55;

    /// <summary>Renders a matrix.</summary>
    /// <param name="matrix">The values.</param>
    /// <param name="caption">What it shows.</param>
    /// <param name="rowNames">Names for the rows, where the matrix's are too long.</param>
    /// <param name="low">The value without colour.</param>
    /// <param name="high">The value with the full colour.</param>
    /// <param name="format">A number format.</param>
    /// <param name="corner">What the rows and columns are.</param>
    /// <param name="note">A line more of what it shows.</param>
    public static HtmlFragment Render(
        LabelledMatrix matrix, string caption, IReadOnlyList<string>? rowNames = null, double low = 0, double high = 1, string format = "F2", string corner = "", string? note = null)
    {
        rowNames ??= matrix.Rows;
        HtmlFragment head = HtmlFragment.Join(matrix.Columns.Select(name => HtmlFragment.Of($"<th scope=\"col\"><span>{name}</span></th>")));
        HtmlFragment body = HtmlFragment.Join(rowNames.Select((name, row) => HtmlFragment.Of(
            $"<tr><th scope=\"row\">{name}</th>{HtmlFragment.Join(matrix.GetRow(row).Select(value => Cell(value, low, high, format)))}</tr>\n")));
        string kind = matrix.Columns.All(name => name.Length <= 3) ? "matrix short" : "matrix";
        return HtmlFragment.Of(
            $"<figure class=\"{kind}\"><figcaption>{caption}{(note is null ? HtmlFragment.Empty : HtmlFragment.Of($"<small>{note}</small>"))}</figcaption><div class=\"scroll\"><table><thead><tr><th class=\"corner\">{corner}</th>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>\n");
    }

    private static HtmlFragment Cell(double value, double low, double high, string format)
    {
        double share = Math.Clamp((Math.Abs(value) - low) / Math.Max(high - low, 1e-9), 0, 1);
        string kind = (value < 0 ? "neg" : "pos") + (share > Strong ? " strong" : "");
        return HtmlFragment.Of($"<td class=\"{kind}\" style=\"--v:{100 * share:F0}%\">{Trim(value, format)}</td>");
    }

    /// <summary>Without the zero before the point, so that columns stay narrow.</summary>
    private static string Trim(double value, string format)
    {
        string text = value.ToString(format, CultureInfo.InvariantCulture);
        if (text.StartsWith('-') && text.AsSpan().IndexOfAnyInRange('1', '9') < 0)
        {
            text = text[1..];
        }

        return text.StartsWith("0.", StringComparison.Ordinal) ? text[1..] : text.StartsWith("-0.", StringComparison.Ordinal) ? "\u2212" + text[2..] : text;
    }
}
