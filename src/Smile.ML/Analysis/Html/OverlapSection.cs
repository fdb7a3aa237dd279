namespace Smile.ML.Analysis.Html;

/// <summary>How alike the experts and their tasks are.</summary>
internal static class OverlapSection
{
    public static HtmlFragment Render(SmileReport report)
    {
        LabelledMatrix router = LabelledMatrix.Mean([.. report.Weights.Select(layer => layer.RouterOverlap)]);
        LabelledMatrix cosine = LabelledMatrix.Mean([.. report.Weights.Select(layer => layer.DeltaCosine)]);
        HtmlFragment inputs = report.InputOverlap.Count > 0
            ? MatrixTable.Render(LabelledMatrix.Mean([.. report.InputOverlap.Select(layer => layer.Cosine)]), "Tasks as the pretrained layers see them", note: "|cosine| of the mean layer inputs")
            : HtmlFragment.Empty;
        return HtmlFragment.Of($"""
            <section><h2>How alike the experts are</h2>
            <p>Means over the layers. What the router compares tokens with must differ from expert to expert (router directions), and so must what the tasks send through the layers (inputs). The cosine of the changes themselves says whether merging would make experts cancel or reinforce each other. Random router directions of this size would overlap {report.Weights.Average(layer => layer.RandomRouterOverlap):F2}.</p>
            <div class="columns">
            {inputs}
            {MatrixTable.Render(router, "Router directions", note: "Mean squared cosine of the principal angles")}
            {MatrixTable.Render(cosine, "Changes", note: "Cosine of the low-rank deltas")}
            {ByLayer(report)}
            </div></section>
            """);
    }

    private static HtmlFragment ByLayer(SmileReport report)
    {
        if (report.Experts.Count < 2)
        {
            return HtmlFragment.Empty;
        }

        var series = new List<ChartSeries>
        {
            Series("router", report.Weights.Select(layer => (layer.Layer, layer.RouterOverlap.MeanOffDiagonal)), SeriesStyle.Contrast),
        };
        if (report.InputOverlap.Count > 0)
        {
            series.Add(Series("inputs", report.InputOverlap.Select(layer => (layer.Layer, layer.Cosine.MeanOffDiagonal)), SeriesStyle.Accent));
        }

        HtmlFragment chart = new LineChart
        {
            Title = "Overlap by layer",
            XTitle = "linear layer, in the order of the network",
            YMin = 0,
            YMax = 1,
            Series = series,
            Right = 62,
        }.Render();
        return HtmlFragment.Of($"<figure><figcaption>Overlap by layer<small>Mean over pairs. Low is good for routing</small></figcaption>{chart}</figure>");

        static ChartSeries Series(string name, IEnumerable<(string Layer, double Value)> layers, SeriesStyle style)
            => new(name, [.. layers.Select((layer, i) => new ChartPoint(i + 1, layer.Value, $"{layer.Layer}: {HtmlFragment.Of($"{layer.Value:F2}")}"))], style);
    }
}
