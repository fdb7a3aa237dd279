using System.Collections;
using System.Globalization;
using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Notebooks;

namespace Smile.ML.Analysis;

/// <summary>Several ways to serve the same tasks, side by side. Notebooks show it as a table and a plot of the averages.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class MethodComparison : IReadOnlyList<MethodResult>, IHtmlDisplay
{
    private readonly MethodResult[] _results;

    /// <summary>Puts results together.</summary>
    /// <param name="results">At least one; all of the same tasks.</param>
    /// <exception cref="ArgumentException">There is none, or the tasks differ.</exception>
    public MethodComparison(params IEnumerable<MethodResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        _results = [.. results];
        if (_results.Length == 0 || _results.Any(result => !result.Accuracy.Keys.Order().SequenceEqual(_results[0].Accuracy.Keys.Order())))
        {
            throw new ArgumentException("Expected at least one result, and the same tasks in all.", nameof(results));
        }
    }

    /// <inheritdoc/>
    public int Count => _results.Length;

    /// <inheritdoc/>
    public MethodResult this[int index] => _results[index];

    /// <inheritdoc/>
    public IEnumerator<MethodResult> GetEnumerator() => ((IEnumerable<MethodResult>)_results).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    string IHtmlDisplay.ToHtml()
    {
        string[] tasks = [.. _results[0].Accuracy.Keys];
        var table = new HtmlTable("Accuracy in percent", ["method", .. tasks, "average", "parameters"]);
        foreach (MethodResult result in _results)
        {
            table.Add(
                result.Method,
                [.. tasks.Select(task => Percent(result.Accuracy[task])), Percent(result.Average), result.Parameters?.ToString("N0", CultureInfo.InvariantCulture) ?? ""]);
        }

        return $"<div>{table}{SvgPlot.Bars(_results.Select(result => (result.Method, result.Average)), maximum: 100)}</div>";
    }

    private static string Percent(double value) => value.ToString("F1", CultureInfo.InvariantCulture);
}
