namespace Smile.ML.Analysis.Html;

/// <summary>What the fine-tunes changed: how much, in how many directions, and in which zones of the pretrained weights.</summary>
internal static class SpectrumSection
{
    public static HtmlFragment Render(SmileReport report)
    {
        IReadOnlyList<string> names = LayerNames.Shorten(report.Weights.Select(layer => layer.Layer));
        var norms = new LabelledMatrix([.. report.Weights.Select(layer => layer.Layer)], report.Experts, (layer, expert) => report.Weights[layer].Spectra[expert].RelativeNorm);
        double largest = Enumerable.Range(0, norms.Rows.Count).Max(row => norms.GetRow(row).Max());
        return HtmlFragment.Of($"""
            <section><h2>What the fine-tunes changed</h2>
            <p>The fewer directions a change needs, the lower the expert rank can be. At rank {Rank(report)}, experts keep {100 * Mean(report, Rank(report)):F0}% of the squared size of their changes on average.</p>
            <div class="columns">
            {Explained(report)}
            {Zones(report, names)}
            {MatrixTable.Render(norms, "Size of each change relative to the pretrained weight", names, high: Math.Max(largest, 1e-9))}
            </div></section>
            """);
    }

    private static int Rank(SmileReport report) => report.Setting.ExpertRank ?? 32;

    private static double Mean(SmileReport report, int rank) => report.Weights.Average(layer => layer.Spectra.Average(spectrum => spectrum.ExplainedVariance(rank)));

    private static HtmlFragment Explained(SmileReport report)
    {
        int most = report.Weights.Max(layer => layer.Spectra.Max(spectrum => spectrum.SingularValues.Count));
        if (most == 0)
        {
            return HtmlFragment.Empty;
        }

        int[] ranks = [.. Enumerable.Range(1, most)];
        ChartSeries Series(string name, Func<int, double> share, SeriesStyle style) => new(
            name, [.. ranks.Select(k => new ChartPoint(k, 100 * share(k), ""))], style, Markers: false);
        IEnumerable<double> OfLayers(int rank) => report.Weights.Select(layer => layer.Spectra.Average(spectrum => spectrum.ExplainedVariance(rank)));
        HtmlFragment chart = new LineChart
        {
            Title = "Cumulative explained variance of the changes by rank",
            XTitle = "rank",
            YMin = 0,
            YMax = 100,
            Series =
            [
                Series("", rank => OfLayers(rank).Max(), SeriesStyle.Muted),
                Series("", rank => OfLayers(rank).Min(), SeriesStyle.Muted),
                Series("mean", rank => OfLayers(rank).Average(), SeriesStyle.Accent),
            ],
            Right = 52,
        }.Render();
        return HtmlFragment.Of($"<figure><figcaption>Cumulative explained variance, in per cent<small>Mean over layers and experts; in grey the layers that need the fewest and the most directions</small></figcaption>{chart}</figure>");
    }

    private static HtmlFragment Zones(SmileReport report, IReadOnlyList<string> names)
    {
        if (report.Weights.Any(layer => layer.ProjectedEnergy.Count == 0))
        {
            return HtmlFragment.Empty;
        }

        Func<ProjectedEnergy, double>[] zones = [energy => energy.ZoneI, energy => energy.ZoneII, energy => energy.ZoneIIAndIII];
        var matrix = new LabelledMatrix(
            names, ["I", "II", "II+III"], (layer, zone) => report.Weights[layer].ProjectedEnergy.Average(zones[zone]));
        return MatrixTable.Render(
            matrix,
            "Where in the pretrained weights the changes lie",
            note: "Share of their squared size, mean over the experts. Zone I: the directions that carry half of the pretrained weight's singular values; II: the rest; III: those it doesn't use at all");
    }
}
