namespace Smile.ML.Compute;

/// <summary>
/// Decides for one token which experts it goes to. Implementations hold no state that a call changes: rows are routed in parallel.
/// </summary>
internal interface IRowRouter
{
    /// <summary>Gets the number of experts E.</summary>
    int ExpertCount { get; }

    /// <summary>Gets the number of experts that each token goes to.</summary>
    int ExpertsPerToken { get; }

    /// <summary>Routes one token.</summary>
    /// <param name="gate">The gate's outputs for the token: E groups of the router's rank. Empty where there is nothing to route by.</param>
    /// <param name="scores">Receives the E router logits.</param>
    /// <param name="selected">Receives the chosen experts, best first.</param>
    /// <param name="weights">Receives the chosen experts' weights.</param>
    void Route(ReadOnlySpan<float> gate, Span<float> scores, Span<int> selected, Span<float> weights);
}
