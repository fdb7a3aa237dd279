namespace Smile.ML.Compute;

/// <summary>All experts of one routed layer, in the form in which a backend applies them.</summary>
internal abstract class ExpertWeights : IDisposable
{
    /// <summary>Gets the number of experts.</summary>
    public abstract int Count { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}
