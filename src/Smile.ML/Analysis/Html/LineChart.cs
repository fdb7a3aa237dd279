using System.Globalization;

namespace Smile.ML.Analysis.Html;

/// <summary>A chart of lines and points as inline SVG, with the series' names beside their ends.</summary>
internal sealed class LineChart
{
    private const double Width = 440, Height = 300;
    private const double Left = 38, Top = 20, Bottom = 44;
    private const double LabelHeight = 13;

    private static readonly int[] LogDigits = [1, 2, 5];

    /// <summary>Gets what the chart shows, for those who can't see it.</summary>
    public required string Title { get; init; }

    /// <summary>Gets the name of the horizontal axis.</summary>
    public required string XTitle { get; init; }

    /// <summary>Gets the series, in drawing order.</summary>
    public required IReadOnlyList<ChartSeries> Series { get; init; }

    /// <summary>Gets a value indicating whether the horizontal axis is logarithmic.</summary>
    public bool LogX { get; init; }

    /// <summary>Gets the horizontal places to mark; chosen where null.</summary>
    public IReadOnlyList<double>? XTicks { get; init; }

    /// <summary>Gets the smallest value shown; chosen where null.</summary>
    public double? YMin { get; init; }

    /// <summary>Gets the largest value shown; chosen where null.</summary>
    public double? YMax { get; init; }

    /// <summary>Gets the number format of the vertical axis.</summary>
    public string YFormat { get; init; } = "G3";

    /// <summary>Gets the room for the series' names.</summary>
    public double Right { get; init; } = 88;

    /// <summary>Draws the chart.</summary>
    public HtmlFragment Render()
    {
        List<ChartPoint> points = [.. Series.SelectMany(series => series.Points)];
        if (points.Count == 0)
        {
            return HtmlFragment.Empty;
        }

        (double x0, double x1) = Pad(Place(points.Min(point => point.X)), Place(points.Max(point => point.X)), 0.03);
        (double y0, double y1) = Pad(points.Min(point => point.Y), points.Max(point => point.Y), 0.06);
        (y0, y1) = (YMin ?? y0, YMax ?? y1);
        double ScreenX(double x) => Left + ((Place(x) - x0) / (x1 - x0) * (Width - Left - Right));
        double ScreenY(double y) => Height - Bottom - ((Math.Clamp(y, y0, y1) - y0) / (y1 - y0) * (Height - Top - Bottom));

        IEnumerable<double> xTicks = XTicks ?? (LogX ? LogTicks(Math.Pow(10, x0), Math.Pow(10, x1)) : Ticks(x0, x1));
        HtmlFragment grid = HtmlFragment.Join(Ticks(y0, y1).Select(y => HtmlFragment.Of(
            $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{ScreenY(y):F1}\" y2=\"{ScreenY(y):F1}\"/><text x=\"{Left - 7}\" y=\"{ScreenY(y) + 4:F1}\" text-anchor=\"end\">{y.ToString(YFormat, CultureInfo.InvariantCulture)}</text>")));
        HtmlFragment marks = HtmlFragment.Join(xTicks.Select(x => HtmlFragment.Of(
            $"<text x=\"{ScreenX(x):F1}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{x:G3}</text>")));
        HtmlFragment lines = HtmlFragment.Join(Series.Select(series => Draw(series, ScreenX, ScreenY)));
        return HtmlFragment.Of(
            $"<svg class=\"chart\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Title}\">{grid}{marks}<text class=\"axis\" x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">{XTitle}</text>{lines}{Labels(ScreenX, ScreenY)}</svg>\n");
    }

    private double Place(double x) => LogX ? Math.Log10(x) : x;

    private static (double Low, double High) Pad(double low, double high, double share)
    {
        double room = high > low ? (high - low) * share : Math.Max(Math.Abs(low) * share, 0.5);
        return (low - room, high + room);
    }

    private static HtmlFragment Draw(ChartSeries series, Func<double, double> screenX, Func<double, double> screenY)
    {
        string kind = Kind(series);
        string path = string.Join(' ', series.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{screenX(point.X):F1},{screenY(point.Y):F1}")));
        HtmlFragment line = series.Line ? HtmlFragment.Of($"<polyline class=\"{kind}\" points=\"{path}\"/>") : HtmlFragment.Empty;
        HtmlFragment markers = series.Markers
            ? HtmlFragment.Join(series.Points.Select(point => HtmlFragment.Of(
                $"<circle class=\"{kind}\" cx=\"{screenX(point.X):F1}\" cy=\"{screenY(point.Y):F1}\" r=\"{series.Radius}\"><title>{point.Text}</title></circle>")))
            : HtmlFragment.Empty;
        return HtmlFragment.Of($"{line}{markers}");
    }

    /// <summary>The names beside the last points, moved apart where they would overlap.</summary>
    private HtmlFragment Labels(Func<double, double> screenX, Func<double, double> screenY)
    {
        HtmlFragment atStart = HtmlFragment.Join(Series.Where(series => series.NameAtStart).Select(series => HtmlFragment.Of(
            $"<text class=\"label {Kind(series)}\" x=\"{screenX(series.Points[0].X):F1}\" y=\"{screenY(series.Points[0].Y) - 7:F1}\">{series.Name}</text>")));
        var labels = Series.Where(series => series.Name.Length > 0 && series.Points.Count > 0 && !series.NameAtStart)
            .Select(series => (series, x: screenX(series.Points[^1].X), y: screenY(series.Points[^1].Y)))
            .OrderBy(label => label.y)
            .ToArray();
        var placed = new List<(double X, double Y)>();
        HtmlFragment[] texts = new HtmlFragment[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            double y = labels[i].y;
            foreach ((double otherX, double otherY) in placed)
            {
                y = Math.Abs(otherX - labels[i].x) < 80 ? Math.Max(y, otherY + LabelHeight) : y;
            }

            placed.Add((labels[i].x, y));
            texts[i] = HtmlFragment.Of(
                $"<text class=\"label {Kind(labels[i].series)}\" x=\"{labels[i].x + 9:F1}\" y=\"{y + 4:F1}\">{labels[i].series.Name}</text>");
        }

        return HtmlFragment.Join([atStart, .. texts]);
    }

    private static string Kind(ChartSeries series) => series.Style.ToString().ToLowerInvariant();

    /// <summary>Round numbers, about five of them.</summary>
    private static IEnumerable<double> Ticks(double low, double high)
    {
        double step = Math.Pow(10, Math.Floor(Math.Log10((high - low) / 4)));
        step *= (high - low) / step > 16 ? 5 : (high - low) / step > 7 ? 2 : 1;
        for (double tick = Math.Ceiling(low / step); tick * step <= high + (step * 1e-9); tick++)
        {
            // Adding 0 turns -0 into 0.
            yield return Math.Round(tick * step, 12) + 0.0;
        }
    }

    private static IEnumerable<double> LogTicks(double low, double high)
        => from exponent in Enumerable.Range((int)Math.Floor(Math.Log10(low)), (int)Math.Ceiling(Math.Log10(high / low)) + 2)
           from digit in LogDigits
           let tick = Math.Round(digit * Math.Pow(10, exponent), 12)
           where tick >= low && tick <= high
           select tick;
}
