using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion;

/// <summary>What an expert added to one pretrained weight: D = W_e - W_0 [outputs, inputs].</summary>
internal abstract class WeightDelta : IDisposable
{
    /// <summary>Gets the largest magnitude of an element, or a bound above it that is 0 only for a zero delta.</summary>
    public abstract float Magnitude { get; }

    /// <summary>Computes the leading singular triplets of the delta.</summary>
    /// <param name="rank">How many at most.</param>
    /// <param name="keepNullSpace">Whether to complete them beyond the numerical rank.</param>
    /// <param name="pool">The threads to use.</param>
    public abstract TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool);

    /// <summary>Gets the delta as a matrix.</summary>
    public abstract Matrix ToMatrix();

    /// <inheritdoc/>
    public abstract void Dispose();
}
