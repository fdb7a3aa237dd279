using System.Globalization;

namespace Smile.ML.Analysis.Html;

/// <summary>Puts a report's page together.</summary>
internal static class ReportPage
{
    public static string Render(SmileReport report)
    {
        HtmlFragment sections = HtmlFragment.Join(
            [SizeSection.Render(report), MethodSection.Render(report), RoutingSection.Render(report), OverlapSection.Render(report), SpectrumSection.Render(report)]);
        return HtmlFragment.Of($"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/><title>{report.Pool}: Smile.ML report</title>
            <style>
            {HtmlFragment.Raw(ReportStyle.Css)}
            </style></head><body><main>
            <header><p class="eyebrow">Smile.ML report</p><h1>{report.Pool}</h1><p class="meta">{Meta(report)}</p></header>
            {Verdict(report)}
            {sections}
            {Terms(report)}
            <footer>Written by Smile.ML. SMILE: Tang et al., arXiv 2408.10174.</footer>
            </main></body></html>

            """).ToString();
    }

    private static HtmlFragment Meta(SmileReport report)
        => HtmlFragment.Of($"{report.Experts.Count} experts on one {report.ModelType} of {report.PretrainedParameters / 1e6:G3} M parameters, {report.Weights.Count} linear layers");

    private static HtmlFragment Verdict(SmileReport report)
    {
        HtmlFragment reasons = HtmlFragment.Join(report.Recommendation.Reasons.Select(reason => HtmlFragment.Of($"<li>{reason}</li>")));
        HtmlFragment scope = report.FineTuned is null
            ? HtmlFragment.Of($"<p class=\"note\">No heads or no data were given, so nothing was run: this page has what the weights alone say.</p>")
            : report.MaxRowsPerTask is { } rows
                ? HtmlFragment.Of($"<p class=\"note\">A quick report: at most {rows} rows per task, few settings. Differences of a point or two mean nothing.</p>")
                : HtmlFragment.Empty;
        return HtmlFragment.Of(
            $"<div class=\"verdict\"><p class=\"headline\">{report.Recommendation.Headline}</p><ul>{reasons}</ul>{scope}</div>{Tiles(report)}");
    }

    private static HtmlFragment Tiles(SmileReport report)
    {
        if (report.FineTuned is not { } fineTuned || report.Pick is not { } pick)
        {
            return HtmlFragment.Empty;
        }

        MethodResult merge = report.Merges.MaxBy(method => method.Average)!;
        double share = report.Routing?.MeanOwnExpertShare ?? 0;
        return HtmlFragment.Of($"""
            <dl class="tiles">
            <div class="main"><dt>SMILE</dt><dd>{pick.Result.Average:F1}%<small>{Words(pick.Setting)}: {pick.Result.Parameters / 1e6:G3} M parameters</small></dd></div>
            <div><dt>Fine-tuned models</dt><dd>{fineTuned.Average:F1}%<small>one per task: {fineTuned.Parameters / 1e6:G3} M parameters</small></dd></div>
            <div><dt>Best plain merge</dt><dd>{merge.Average:F1}%<small>{merge.Method}: {merge.Parameters / 1e6:G3} M parameters</small></dd></div>
            <div><dt>Tokens at their own expert</dt><dd>{100 * share:F0}%<small>chance: {100.0 / report.Experts.Count:0.#}%</small></dd></div>
            </dl>
            """);
    }

    /// <summary>A setting in the paper's letters.</summary>
    internal static HtmlFragment Words(SmileSetting setting)
        => HtmlFragment.Of($"{(setting.ExpertRank is { } k ? string.Create(CultureInfo.InvariantCulture, $"k {k}") : "dense")}, k_gate {setting.RouterRank}, top_k {setting.ExpertsPerToken}");

    private static HtmlFragment Terms(SmileReport report)
    {
        HtmlFragment evaluated = report.FineTuned is null ? HtmlFragment.Empty : HtmlFragment.Of($"""
            <dt>Accuracy</dt><dd>Per cent of the test rows whose largest logit is their label's, with each task's own frozen head; the mean over tasks counts every task the same.</dd>
            <dt>Routing oracle</dt><dd>Every token sent to its task's expert: what a perfect router would reach. It keeps the pretrained norms and embeddings, so it can stay below the fine-tuned models.</dd>
            """);
        return HtmlFragment.Of($"""
            <section><h2>Words</h2><dl class="terms">
            <dt>Expert rank k</dt><dd>How many singular directions of each fine-tune's change a layer keeps. More cost more parameters.</dd>
            <dt>Router rank k_gate</dt><dd>How many input directions of each fine-tune the router compares a token with.</dd>
            <dt>top_k</dt><dd>How many experts each token goes to.</dd>
            {evaluated}
            </dl></section>
            """);
    }
}
