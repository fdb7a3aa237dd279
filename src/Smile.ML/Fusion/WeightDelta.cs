using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>What an expert added to one pretrained weight: D = W_e - W_0 [outputs, inputs].</summary>
internal abstract class WeightDelta : IDisposable
{
    /// <summary>Gets the largest magnitude of an element, or a bound above it that is 0 only for a zero delta.</summary>
    public abstract float Magnitude { get; }

    /// <summary>Subtracts a pretrained weight from a fine-tuned one, in float32.</summary>
    /// <param name="fineTuned">Holds the fine-tuned weight.</param>
    /// <param name="pretrained">Holds the pretrained weight.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <param name="rank">How many singular triplets the delta is read for, if for these: it is then laid out for that.</param>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    public static WeightDelta Between(ITensorSource fineTuned, ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool, int? rank)
        => rank is { } triplets && TruncatedSvd.Iterates(layer.Outputs, layer.Inputs, triplets)
            ? PanelWeightDelta.Read(fineTuned, pretrained, layer, pool)
            : DenseWeightDelta.Read(fineTuned, pretrained, layer, pool);

    /// <summary>Estimates from above the memory that a difference of weights and its decomposition take.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">How many singular triplets are wanted.</param>
    /// <returns>Bytes, the result included.</returns>
    public static long WorkingBytes(LinearLayerInfo layer, int rank)
    {
        // Panels are all of the delta there is, and counted among what the decomposition takes.
        long rows = TruncatedSvd.Iterates(layer.Outputs, layer.Inputs, rank) ? 0 : (long)layer.Outputs * layer.Inputs * sizeof(float);
        return rows + TruncatedSvd.WorkingBytes(layer.Outputs, layer.Inputs, rank);
    }

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
