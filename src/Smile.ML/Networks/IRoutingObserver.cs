namespace Smile.ML.Networks;

/// <summary>Is told, while a network runs, where every token of every routed layer goes.</summary>
public interface IRoutingObserver
{
    /// <summary>Called once per routed layer and run, in the order of the computation.</summary>
    /// <param name="layer">The layer's name.</param>
    /// <param name="tokens">Number of tokens N, batch-major.</param>
    /// <param name="logits">Router logits [N, E]; with one expert, ones.</param>
    /// <param name="selected">Chosen experts [N, ExpertsPerToken], best first.</param>
    /// <param name="weights">Their routing weights [N, ExpertsPerToken].</param>
    void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights);
}
