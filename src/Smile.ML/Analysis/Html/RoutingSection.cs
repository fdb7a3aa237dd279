namespace Smile.ML.Analysis.Html;

/// <summary>Where tokens go, how surely, and what errors that leaves.</summary>
internal static class RoutingSection
{
    public static HtmlFragment Render(SmileReport report)
    {
        if (report.Routing is not { Layers.Count: > 0 } routing)
        {
            return HtmlFragment.Empty;
        }

        LabelledMatrix shares = LabelledMatrix.Mean([.. routing.Layers.Select(layer => layer.Shares)]);
        IReadOnlyList<string> names = LayerNames.Shorten(routing.Layers.Select(layer => layer.Layer));
        return HtmlFragment.Of($"""
            <section><h2>Where tokens go</h2>
            <p>With {ReportPage.Words(report.Setting)}, {100 * routing.MeanOwnExpertShare:F0}% of the tokens choose their own task's expert, where chance would be {100.0 / report.Experts.Count:0.#}%. {Audit(routing)}</p>
            <div class="columns">
            {MatrixTable.Render(shares, "Where each task's tokens go", note: "Share of a task's tokens (rows) that choose each expert (columns), mean over the layers")}
            {MatrixTable.Render(routing.OwnExpertShares, "Tokens at their own expert", names, note: "Share by layer and task")}
            <figure><figcaption>How clearly tokens choose<small><span class="key"></span>at their own task's expert<span class="key contrast"></span>elsewhere</small></figcaption>{MarginChart.Render([.. routing.Layers.Select(layer => layer.Margins)])}</figure>
            {Correlations(report)}
            {Errors(report)}
            {PerToken(report)}
            </div></section>
            """);
    }

    private static HtmlFragment Audit(RoutingAnalysis routing)
        => routing.Audit() is { } audit
            ? HtmlFragment.Of($"Half of every task's routing weight needs a committee of {audit.Committee.Count} of {routing.Layers[0].Mass.Columns.Count} experts, which carries {100 * audit.CommitteeMass:F0}% of it; two tasks share {100 * audit.Jaccard:F0}% of the experts that they rely on (Jaccard), and the load's Gini coefficient is {audit.Gini:F2}.")
            : HtmlFragment.Empty;

    private static HtmlFragment Correlations(SmileReport report)
    {
        if (report.ScoreCorrelations.Count == 0)
        {
            return HtmlFragment.Empty;
        }

        var points = report.ScoreCorrelations.Select((layer, i) => new ChartPoint(i + 1, layer.Correlation, $"{layer.Layer}: {HtmlFragment.Of($"{layer.Correlation:F2}")}"));
        HtmlFragment chart = new LineChart
        {
            Title = "Rank correlation of router score and expert output by layer",
            XTitle = "linear layer, in the order of the network",
            Series = [new ChartSeries("", [.. points], SeriesStyle.Accent)],
            YMax = 1,
            YMin = Math.Min(0, report.ScoreCorrelations.Min(layer => layer.Correlation)),
            Right = 16,
        }.Render();
        return HtmlFragment.Of(
            $"<figure><figcaption>Does the router's score say what an expert would do?<small>Spearman's correlation of score and output norm over the experts, mean over tokens: 1 is perfect</small></figcaption>{chart}</figure>");
    }

    private static HtmlFragment Errors(SmileReport report)
    {
        if (report.Errors is not { Smile.Count: > 0 } errors)
        {
            return HtmlFragment.Empty;
        }

        HtmlFragment chart = new LineChart
        {
            Title = "Relative error of the class token after each block",
            XTitle = "block",
            XTicks = [.. errors.Smile.Select(block => block.Block + 1.0)],
            YMin = 0,
            Series = [Series("SMILE", errors.Smile, SeriesStyle.Accent), Series("low rank", errors.LowRank, SeriesStyle.Contrast)],
        }.Render();
        return HtmlFragment.Of(
            $"<figure><figcaption>How errors accumulate<small>Relative distance of the class token from the fine-tuned model's; the low-rank line is what truncation alone loses</small></figcaption>{chart}</figure>");

        static ChartSeries Series(string name, IReadOnlyList<BlockError> blocks, SeriesStyle style)
            => new(name, [.. blocks.Select(block => new ChartPoint(block.Block + 1, block.Error, $"{name}, block {block.Block + 1}: {HtmlFragment.Of($"{block.Error:F3}")}"))], style);
    }

    private static HtmlFragment PerToken(SmileReport report)
    {
        if (report.ExpertsPerTokenSweep.Count < 2)
        {
            return HtmlFragment.Empty;
        }

        HtmlFragment chart = new LineChart
        {
            Title = "Accuracy by experts per token",
            XTitle = "experts per token (top_k)",
            XTicks = [.. report.ExpertsPerTokenSweep.Select(point => (double)point.Setting.ExpertsPerToken)],
            Series = [new ChartSeries("", [.. report.ExpertsPerTokenSweep.Select(point => new ChartPoint(
                point.Setting.ExpertsPerToken, point.Result.Average, HtmlFragment.Of($"top_k {point.Setting.ExpertsPerToken}: {point.Result.Average:F1}%").ToString()))], SeriesStyle.Accent)],
            Right = 16,
        }.Render();
        return HtmlFragment.Of($"<figure><figcaption>Experts per token<small>Average accuracy in per cent. It falls where routing is sure, and rises where blending makes up for wrong choices</small></figcaption>{chart}</figure>");
    }
}
