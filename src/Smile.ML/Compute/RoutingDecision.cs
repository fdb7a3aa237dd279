namespace Smile.ML.Compute;

/// <summary>Where every token of a layer's input goes, in a backend's memory.</summary>
internal abstract class RoutingDecision : IDisposable
{
    /// <summary>Gets the number of tokens N.</summary>
    public abstract int Tokens { get; }

    /// <summary>Gets the number of experts E.</summary>
    public abstract int ExpertCount { get; }

    /// <summary>Gets the number of experts that each token goes to.</summary>
    public abstract int ExpertsPerToken { get; }

    /// <summary>Copies the decision to the host.</summary>
    /// <param name="scores">Receives the router logits [N, E].</param>
    /// <param name="selected">Receives the chosen experts [N, ExpertsPerToken], best first.</param>
    /// <param name="weights">Receives their weights [N, ExpertsPerToken].</param>
    public abstract void Download(Span<float> scores, Span<int> selected, Span<float> weights);

    /// <inheritdoc/>
    public abstract void Dispose();
}
