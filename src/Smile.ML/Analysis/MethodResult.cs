using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Notebooks;

namespace Smile.ML.Analysis;

/// <summary>The accuracy of one way to serve all tasks.</summary>
/// <param name="Method">The way, e.g. <c>simple average</c>.</param>
/// <param name="Accuracy">Percent of each task, by the task's name.</param>
/// <param name="Parameters">Parameters of the model (of all models, for the fine-tuned ones); null where there is no such model.</param>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record MethodResult(string Method, IReadOnlyDictionary<string, double> Accuracy, long? Parameters) : IHtmlDisplay
{
    /// <summary>Gets the mean over the tasks, in percent.</summary>
    public double Average => Accuracy.Values.Average();

    string IHtmlDisplay.ToHtml() => ((IHtmlDisplay)new MethodComparison(this)).ToHtml();
}
