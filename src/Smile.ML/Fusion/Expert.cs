using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>A fine-tuned model of a pool.</summary>
public abstract class Expert : IDisposable
{
    private protected Expert(string name) => Name = name;

    /// <summary>Gets the expert's name in the pool.</summary>
    public string Name { get; }

    /// <summary>Gets where it was read from.</summary>
    public abstract string Location { get; }

    /// <summary>Gets its configuration; null where it has the pretrained model's.</summary>
    internal virtual ModelConfig? Config => null;

    /// <summary>Gets all its parameters, as those of a whole fine-tuned model.</summary>
    internal abstract ITensorSource Parameters { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Checks names, shapes and types against the pretrained model without reading values.</summary>
    /// <param name="pretrained">The pretrained model.</param>
    /// <param name="manifest">Its layers.</param>
    /// <param name="heads">The heads that may differ.</param>
    /// <exception cref="SmileException">Something differs; the message names the expert, the tensor, what was found and expected.</exception>
    internal abstract void Check(HuggingFaceFolder pretrained, NetworkManifest manifest, OwnHeads heads);

    /// <summary>Gets what the expert added to a layer's weight.</summary>
    /// <param name="pretrained">The pretrained model's parameters.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <param name="rank">How many singular triplets the delta is read for, if for these: it is then laid out for that.</param>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    internal abstract WeightDelta ReadDelta(ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool, int? rank = null);

    /// <summary>Reads consecutive elements of a parameter, a missing bias counting as 0.</summary>
    /// <param name="name">The parameter.</param>
    /// <param name="start">Index of the first element in row-major order.</param>
    /// <param name="destination">Receives them.</param>
    internal void ReadParameter(string name, long start, Span<float> destination)
    {
        if (Parameters.Tensors.ContainsKey(name))
        {
            Parameters.ReadFloats(name, start, destination);
        }
        else
        {
            destination.Clear();
        }
    }

    /// <summary>Reads consecutive elements of what the expert added to a parameter, a missing bias counting as 0. They may be not finite.</summary>
    /// <param name="pretrained">The pretrained model's parameters.</param>
    /// <param name="name">The parameter.</param>
    /// <param name="start">Index of the first element in row-major order.</param>
    /// <param name="destination">Receives them.</param>
    internal virtual void ReadTaskVector(ITensorSource pretrained, string name, long start, Span<float> destination)
    {
        ReadParameter(name, start, destination);
        var before = new float[destination.Length];
        pretrained.ReadFloats(name, start, before);
        _ = DeltaArithmetic.Subtract(destination, before);
    }

    /// <summary>Estimates from above the memory that reading and decomposing the delta of a layer's weight takes.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">How many singular triplets are wanted.</param>
    /// <returns>Bytes, the result included.</returns>
    internal virtual long WorkingBytes(LinearLayerInfo layer, int rank)
        => WeightDelta.WorkingBytes(layer, rank);

    /// <summary>Gets what the expert added to a layer's bias, a missing bias counting as 0; null where neither has one.</summary>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    internal float[]? ReadBiasDelta(ITensorSource pretrained, LinearLayerInfo layer)
    {
        string name = $"{layer.Name}.bias";
        bool mine = Parameters.Tensors.ContainsKey(name);
        if (!mine && !layer.HasBias)
        {
            return null;
        }

        float[] delta = mine ? Parameters.ReadVector(name, layer.Outputs) : new float[layer.Outputs];
        float[] before = layer.HasBias ? pretrained.ReadVector(name, layer.Outputs) : new float[layer.Outputs];
        return float.IsFinite(DeltaArithmetic.Subtract(delta, before)) ? delta : throw DeltaArithmetic.NotFinite(Parameters, pretrained, name);
    }

    /// <summary>Closes the expert's files.</summary>
    /// <param name="disposing">Always true: there is no finalizer.</param>
    protected abstract void Dispose(bool disposing);
}
