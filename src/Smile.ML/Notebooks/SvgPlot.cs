using System.Globalization;
using System.Net;
using System.Text;

namespace Smile.ML.Notebooks;

/// <summary>Small SVG plots without scripts or external parts.</summary>
internal static class SvgPlot
{
    private const int LabelWidth = 330;
    private const int RowHeight = 20;
    private const int BarWidth = 300;
    private const int CellWidth = 48;
    private const int HeaderHeight = 24;

    /// <summary>Draws horizontal bars from 0 to a maximum.</summary>
    public static string Bars(IEnumerable<(string Label, double Value)> bars, double maximum)
    {
        (string Label, double Value)[] rows = [.. bars];
        var svg = Begin(LabelWidth + BarWidth + 60, rows.Length * RowHeight);
        for (int i = 0; i < rows.Length; i++)
        {
            double width = BarWidth * Math.Clamp(rows[i].Value / maximum, 0, 1);
            Label(svg, i * RowHeight, rows[i].Label);
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{LabelWidth}\" y=\"{(i * RowHeight) + 3}\" width=\"{width:F1}\" height=\"{RowHeight - 6}\" fill=\"#4c78a8\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{LabelWidth + width + 4:F1}\" y=\"{(i * RowHeight) + 14}\">{rows[i].Value:F1}</text>");
        }

        return svg.Append("</svg>").ToString();
    }

    /// <summary>Draws a matrix of shares from 0 (white) to 1 (dark).</summary>
    /// <param name="columns">The columns' headers.</param>
    /// <param name="rows">A label and one share per column each.</param>
    public static string HeatMap(IReadOnlyList<string> columns, IEnumerable<(string Label, IReadOnlyList<double> Shares)> rows)
    {
        (string Label, IReadOnlyList<double> Shares)[] lines = [.. rows];
        var svg = Begin(LabelWidth + (columns.Count * CellWidth), HeaderHeight + (lines.Length * RowHeight));
        for (int c = 0; c < columns.Count; c++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{LabelWidth + (c * CellWidth) + (CellWidth / 2)}\" y=\"16\" text-anchor=\"middle\">{WebUtility.HtmlEncode(columns[c])}</text>");
        }

        for (int r = 0; r < lines.Length; r++)
        {
            int y = HeaderHeight + (r * RowHeight);
            Label(svg, y, lines[r].Label);
            for (int c = 0; c < columns.Count; c++)
            {
                double share = lines[r].Shares[c];
                svg.Append(
                    CultureInfo.InvariantCulture,
                    $"<rect x=\"{LabelWidth + (c * CellWidth)}\" y=\"{y}\" width=\"{CellWidth - 1}\" height=\"{RowHeight - 1}\" fill=\"#08519c\" fill-opacity=\"{Math.Clamp(share, 0, 1):F3}\"><title>{share:P1}</title></rect>");
            }
        }

        return svg.Append("</svg>").ToString();
    }

    private static StringBuilder Begin(int width, int height)
        => new StringBuilder().Append(
            CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"currentColor\">");

    private static void Label(StringBuilder svg, int y, string text)
        => svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{LabelWidth - 6}\" y=\"{y + 14}\" text-anchor=\"end\">{WebUtility.HtmlEncode(text)}</text>");
}
