namespace Smile.ML.Analysis.Html;

/// <summary>Accuracy against size, as figure 1 of the paper, and the settings that make it up.</summary>
internal static class SizeSection
{
    public static HtmlFragment Render(SmileReport report)
    {
        if (report.FineTuned is not { } fineTuned)
        {
            return HtmlFragment.Empty;
        }

        SweepPoint[] lowRank = [.. report.RankSweep.Where(point => point.Setting.ExpertRank is not null)];
        return HtmlFragment.Of($"""
            <section><h2>Accuracy by size</h2>
            <p>Each line is one router rank; along it the expert rank grows. A good setting is high and far to the left: nearly as accurate as the separate models, at a fraction of their size. The large point is the one above.</p>
            <div class="pair"><div>{Curve(report, fineTuned, lowRank)}</div>{Ranks(lowRank)}</div>
            </section>
            """);
    }

    private static HtmlFragment Curve(SmileReport report, MethodResult fineTuned, SweepPoint[] lowRank)
    {
        var series = new List<ChartSeries>();
        double left = report.PretrainedParameters / 1e6, right = (fineTuned.Parameters ?? 0) / 1e6;
        string reached = HtmlFragment.Of($"fine-tuned models {fineTuned.Average:F1}").ToString();
        double widest = Math.Max(right, lowRank.Max(point => point.Result.Parameters ?? 0) / 1e6);
        series.Add(new ChartSeries(reached, [new ChartPoint(left, fineTuned.Average, ""), new ChartPoint(widest, fineTuned.Average, "")], SeriesStyle.Reference, Markers: false) { NameAtStart = true });
        foreach (IGrouping<int, SweepPoint> line in lowRank.GroupBy(point => point.Setting.RouterRank).OrderBy(line => line.Key == report.Setting.RouterRank))
        {
            bool own = line.Key == report.Setting.RouterRank;
            series.Add(new ChartSeries($"k_gate {line.Key}", [.. line.OrderBy(point => point.Setting.ExpertRank).Select(Point)], own ? SeriesStyle.Accent : SeriesStyle.Muted));
        }

        series.Add(new ChartSeries("merges", [.. report.Merges.Skip(1).OrderBy(method => method.Average).Select(Point)], SeriesStyle.Contrast, Line: false));
        series.Add(new ChartSeries("pretrained", [Point(report.Merges[0])], SeriesStyle.Muted, Line: false));
        series.Add(new ChartSeries("", [Point(fineTuned)], SeriesStyle.Reference, Line: false));
        if (report.Pick is { Setting.ExpertRank: not null } pick)
        {
            series.Add(new ChartSeries("", [Point(pick)], SeriesStyle.Accent, Line: false) { Radius = 7 });
        }

        return new LineChart
        {
            Title = "Average accuracy against the number of parameters",
            XTitle = "parameters, millions (logarithmic); accuracy in %",
            Series = series,
            LogX = true,
            YFormat = "F0",
        }.Render();
    }

    private static ChartPoint Point(SweepPoint point) => Point(point.Result);

    private static ChartPoint Point(MethodResult method)
        => new((method.Parameters ?? 0) / 1e6, method.Average, HtmlFragment.Of($"{HtmlFragment.Raw(method.Method)}: {method.Average:F1}%, {method.Parameters / 1e6:G3} M parameters").ToString());

    private static HtmlFragment Ranks(SweepPoint[] points)
    {
        int?[] ranks = [.. points.Select(point => point.Setting.ExpertRank).Distinct().Order()];
        int[] gates = [.. points.Select(point => point.Setting.RouterRank).Distinct().Order()];
        var matrix = new LabelledMatrix(
            [.. gates.Select(gate => $"{gate}")],
            [.. ranks.Select(rank => $"{rank}")],
            (gate, rank) => points.First(point => point.Setting.RouterRank == gates[gate] && point.Setting.ExpertRank == ranks[rank]).Result.Average);
        double[] all = [.. points.Select(point => point.Result.Average)];
        return MatrixTable.Render(
            matrix, "The same as a table", note: "Accuracy by router rank (rows) and expert rank (columns)", low: all.Min() - 1, high: all.Max(), format: "F1", corner: "k_gate \\ k");
    }
}
