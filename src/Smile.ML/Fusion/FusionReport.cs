using System.Globalization;
using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Notebooks;

namespace Smile.ML.Fusion;

/// <summary>What a fusion did.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record FusionReport : IHtmlDisplay
{
    /// <summary>Gets the experts' names in router order.</summary>
    public required IReadOnlyList<string> Experts { get; init; }

    /// <summary>Gets the linear layers that became routed layers.</summary>
    public required IReadOnlyList<string> Upscaled { get; init; }

    /// <summary>Gets the linear layers that stayed plain, and why.</summary>
    public required IReadOnlyDictionary<string, string> Kept { get; init; }

    /// <summary>
    /// Gets the heads that the models don't have in common, module by module, each with the experts that have one: theirs are in the
    /// fused model as they are. Where no expert has one, the pretrained model's is left out.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> TaskHeads { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Gets the number of parameters of the pretrained model.</summary>
    public required long PretrainedParameters { get; init; }

    /// <summary>Gets the number of parameters of the fused model.</summary>
    public required long FusedParameters { get; init; }

    /// <summary>Gets the time that it took.</summary>
    public required TimeSpan Elapsed { get; init; }

    string IHtmlDisplay.ToHtml()
    {
        var table = new HtmlTable("Fusion", "", "");
        table.Add("experts", string.Join(", ", Experts));
        table.Add("routed layers", Number(Upscaled.Count));
        foreach (IGrouping<string, string> reason in Kept.GroupBy(layer => layer.Value, layer => layer.Key))
        {
            table.Add($"plain layers: {reason.Key}", Number(reason.Count()));
        }

        table.Add("pretrained parameters", Number(PretrainedParameters));
        table.Add("fused parameters", Number(FusedParameters));
        table.Add("time", string.Create(CultureInfo.InvariantCulture, $"{Elapsed.TotalSeconds:F2} s"));
        return table.ToString();

        static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
    }
}
