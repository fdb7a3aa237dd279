namespace Smile.ML.Analysis.Html;

/// <summary>The table of all methods.</summary>
internal static class MethodSection
{
    public static HtmlFragment Render(SmileReport report)
    {
        if (report.FineTuned is null)
        {
            return HtmlFragment.Empty;
        }

        HtmlFragment head = HtmlFragment.Join(report.FineTuned.Accuracy.Keys.Select(task => HtmlFragment.Of($"<th scope=\"col\">{task}</th>")));
        string? pick = report.Pick?.Result.Method;
        Dictionary<string, HtmlFragment> smile = report.RankSweep.Concat(report.ExpertsPerTokenSweep).Append(report.Pick).OfType<SweepPoint>()
            .DistinctBy(point => point.Result.Method)
            .ToDictionary(point => point.Result.Method, point => HtmlFragment.Of($"SMILE {ReportPage.Words(point.Setting)}"));
        HtmlFragment rows = HtmlFragment.Join(report.Methods.Select(method => Row(method, smile.GetValueOrDefault(method.Method) ?? HtmlFragment.Of($"{method.Method}"), method.Method == pick)));
        return HtmlFragment.Of($"""
            <section><h2>All methods side by side</h2>
            <p>Accuracy in per cent. Rows without a size are bounds, not models that could be shipped: an oracle knows every row's task.</p>
            <div class="scroll"><table class="figures"><thead><tr><th scope="col">method</th><th scope="col">average</th><th scope="col">parameters</th>{head}</tr></thead>
            <tbody>
            {rows}</tbody></table></div></section>
            """);
    }

    private static HtmlFragment Row(MethodResult method, HtmlFragment name, bool picked)
    {
        string kind = picked ? "main" : method.Parameters is null ? "bound" : "";
        HtmlFragment cells = HtmlFragment.Join(method.Accuracy.Values.Select(accuracy => HtmlFragment.Of($"<td>{accuracy:F1}</td>")));
        return HtmlFragment.Of(
            $"<tr class=\"{kind}\"><th scope=\"row\">{name}</th><td class=\"average\">{method.Average:F1}</td><td>{method.Parameters:N0}</td>{cells}</tr>\n");
    }
}
