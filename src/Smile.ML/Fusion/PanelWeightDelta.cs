using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>A delta computed from two checkpoints' weights, in float32, laid out to be decomposed.</summary>
internal sealed class PanelWeightDelta : WeightDelta
{
    private readonly PanelMatrix _panels;
    private readonly double _energy;
    private Matrix? _matrix;

    private PanelWeightDelta(PanelMatrix panels, double energy, float magnitude)
    {
        _panels = panels;
        _energy = energy;
        Magnitude = magnitude;
    }

    public override float Magnitude { get; }

    /// <summary>Subtracts the pretrained weight from the fine-tuned one.</summary>
    /// <param name="fineTuned">Holds the fine-tuned weight.</param>
    /// <param name="pretrained">Holds the pretrained weight.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    public static PanelWeightDelta Read(ITensorSource fineTuned, ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool)
    {
        var rows = new DeltaRows(fineTuned, pretrained, layer.WeightName, layer.Inputs);
        PanelMatrix panels = PanelMatrix.FromRows(layer.Outputs, layer.Inputs, rows, pool, out double energy);
        if (float.IsFinite(rows.Magnitude))
        {
            return new PanelWeightDelta(panels, energy, rows.Magnitude);
        }

        panels.Dispose();
        throw rows.NotFinite();
    }

    public override TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool)
        => TruncatedSvd.Iterates(_panels.Rows, _panels.Columns, rank)
            ? TruncatedSvd.Compute(_panels, _energy, rank, pool, keepNullSpace)
            : TruncatedSvd.Compute(ToMatrix(), rank, pool, keepNullSpace);

    public override Matrix ToMatrix() => _matrix ??= _panels.ToRows();

    public override void Dispose()
    {
        _panels.Dispose();
        _matrix?.Dispose();
    }
}
