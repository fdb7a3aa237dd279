namespace Smile.ML.Analysis;

/// <summary>Where the tokens of several tasks went.</summary>
/// <param name="Layers">The routed layers in the order of the computation.</param>
public sealed record RoutingAnalysis(IReadOnlyList<LayerRouting> Layers)
{
    /// <summary>Gets the share of tokens that choose their own task's expert [layers, tasks].</summary>
    public LabelledMatrix OwnExpertShares => new(
        [.. Layers.Select(layer => layer.Layer)],
        Layers.Count > 0 ? Layers[0].Shares.Rows : [],
        (layer, task) => Layers[layer].OwnExpertShare(task));

    /// <summary>Gets the mean of <see cref="OwnExpertShares"/> over layers and tasks; chance is one over the number of experts.</summary>
    public double MeanOwnExpertShare => Layers
        .Select(layer => Enumerable.Range(0, layer.Shares.Rows.Count).Average(layer.OwnExpertShare)).DefaultIfEmpty().Average();

    /// <summary>Audits the routing mass, the mean over the layers.</summary>
    /// <returns>The audit; null where no layer is routed.</returns>
    public RoutingAudit? Audit() => Layers.Count > 0 ? RoutingAudit.From(LabelledMatrix.Mean([.. Layers.Select(layer => layer.Mass)])) : null;
}
