namespace Smile.ML.Analysis.Html;

/// <summary>The margin histogram as inline SVG: own expert's tokens below, the others stacked on them.</summary>
internal static class MarginChart
{
    private const double Width = 440, Height = 230, Left = 8, Bottom = 40, Top = 10;

    /// <summary>Draws the sum of several layers' histograms.</summary>
    public static HtmlFragment Render(IReadOnlyList<MarginHistogram> histograms)
    {
        long[] own = [.. Bins(bin => histograms.Sum(histogram => histogram.Own[bin]))];
        long[] other = [.. Bins(bin => histograms.Sum(histogram => histogram.Other[bin]))];
        double highest = Math.Max(1, own.Zip(other, (a, b) => a + b).Max());
        double slot = (Width - (2 * Left)) / MarginHistogram.BinCount;
        double total = Math.Max(1, own.Sum() + other.Sum());
        HtmlFragment bars = HtmlFragment.Join(Enumerable.Range(0, own.Length).Select(bin =>
        {
            double ownHeight = own[bin] / highest * (Height - Top - Bottom), otherHeight = other[bin] / highest * (Height - Top - Bottom);
            double x = Left + (bin * slot) + 1.5, baseline = Height - Bottom;
            double from = (double)bin / MarginHistogram.BinCount, to = (bin + 1.0) / MarginHistogram.BinCount;
            return HtmlFragment.Of(
                $"<g><title>margin {from:F2} to {to:F2}: {(own[bin] + other[bin]) / total:P1} of the tokens, {own[bin] / total:P1} at their own expert</title><rect class=\"accent\" x=\"{x:F1}\" y=\"{baseline - ownHeight:F1}\" width=\"{slot - 3:F1}\" height=\"{ownHeight:F1}\"/><rect class=\"contrast\" x=\"{x:F1}\" y=\"{baseline - ownHeight - otherHeight:F1}\" width=\"{slot - 3:F1}\" height=\"{otherHeight:F1}\"/></g>");
        }));
        HtmlFragment ticks = HtmlFragment.Join(new[] { 0, 0.25, 0.5, 0.75, 1 }.Select(x => HtmlFragment.Of(
            $"<text x=\"{Left + (x * (Width - (2 * Left))):F1}\" y=\"{Height - Bottom + 16}\" text-anchor=\"{(x == 0 ? "start" : x == 1 ? "end" : "middle")}\">{x:G2}</text>")));
        return HtmlFragment.Of(
            $"<svg class=\"chart\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"How clearly tokens choose\">{bars}<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Left}\" y1=\"{Height - Bottom}\" y2=\"{Height - Bottom}\"/>{ticks}<text class=\"axis\" x=\"{Width / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">margin between the two best experts, relative to the best</text></svg>\n");
    }

    private static IEnumerable<long> Bins(Func<int, long> count) => Enumerable.Range(0, MarginHistogram.BinCount).Select(count);
}
