using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>A delta computed from two checkpoints' weights, in float32.</summary>
internal sealed class DenseWeightDelta : WeightDelta
{
    private readonly Matrix _matrix;

    private DenseWeightDelta(Matrix matrix, float magnitude)
    {
        _matrix = matrix;
        Magnitude = magnitude;
    }

    public override float Magnitude { get; }

    /// <summary>Subtracts the pretrained weight from the fine-tuned one.</summary>
    /// <param name="fineTuned">Holds the fine-tuned weight.</param>
    /// <param name="pretrained">Holds the pretrained weight.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="pool">The threads to read with.</param>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    public static DenseWeightDelta Read(ITensorSource fineTuned, ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool)
    {
        var rows = new DeltaRows(fineTuned, pretrained, layer.WeightName, layer.Inputs);
        Matrix matrix = Matrix.FromRows(layer.Outputs, layer.Inputs, rows, pool);
        if (float.IsFinite(rows.Magnitude))
        {
            return new DenseWeightDelta(matrix, rows.Magnitude);
        }

        matrix.Dispose();
        throw rows.NotFinite();
    }

    public override TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool)
        => TruncatedSvd.Compute(_matrix, rank, pool, keepNullSpace);

    public override Matrix ToMatrix() => _matrix;

    public override void Dispose() => _matrix.Dispose();
}
