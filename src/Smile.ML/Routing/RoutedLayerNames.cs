namespace Smile.ML.Routing;

/// <summary>The tensors of one routed layer in a fused checkpoint (FusionBench's layout).</summary>
/// <param name="Layer">The layer's name.</param>
internal readonly record struct RoutedLayerNames(string Layer)
{
    /// <summary>Gets the name of the pretrained weight [outputs, inputs].</summary>
    public string SharedWeight => $"{SharedLayer}.weight";

    /// <summary>Gets the name of the pretrained bias [outputs].</summary>
    public string SharedBias => $"{SharedLayer}.bias";

    /// <summary>Gets the name of the pretrained layer.</summary>
    public string SharedLayer => $"{Layer}.shared_linear";

    /// <summary>Gets the name of the router rows [E * router rank, inputs], expert by expert.</summary>
    public string Gate => $"{Layer}.gate.weight";

    /// <summary>Gets the name of an expert's left factor [outputs, rank].</summary>
    public string U(int expert) => $"{Layer}.experts.{expert}.u";

    /// <summary>Gets the name of an expert's right factor, scaled by the singular values [rank, inputs].</summary>
    public string Svh(int expert) => $"{Layer}.experts.{expert}.svh";

    /// <summary>Gets the name of a dense expert's weight delta [outputs, inputs].</summary>
    public string DenseWeight(int expert) => $"{Layer}.experts.{expert}.weight";

    /// <summary>Gets the name of an expert's bias delta [outputs].</summary>
    public string Bias(int expert) => $"{Layer}.experts.{expert}.bias";
}
