using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>What one run through a network carries along.</summary>
/// <param name="Backend">Where it is computed.</param>
/// <param name="Observer">Told of every routing decision, or null.</param>
/// <param name="Cancellation">Ends the run between layers.</param>
internal sealed record ForwardPass(Backend Backend, IRoutingObserver? Observer = null, CancellationToken Cancellation = default)
{
    /// <summary>Gets who is told of activations, or null.</summary>
    public IActivationObserver? Activations { get; init; }
}
