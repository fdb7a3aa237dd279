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
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    public static DenseWeightDelta Read(ITensorSource fineTuned, ITensorSource pretrained, LinearLayerInfo layer)
    {
        string name = layer.WeightName;
        var matrix = new Matrix(layer.Outputs, layer.Inputs);
        try
        {
            var row = new float[layer.Inputs];
            float magnitude = 0;
            for (int i = 0; i < layer.Outputs; i++)
            {
                Span<float> delta = matrix.Row(i);
                fineTuned.ReadFloats(name, (long)i * layer.Inputs, delta);
                pretrained.ReadFloats(name, (long)i * layer.Inputs, row);
                magnitude = MathF.Max(magnitude, DeltaArithmetic.Subtract(delta, row));
            }

            return float.IsFinite(magnitude)
                ? new DenseWeightDelta(matrix, magnitude)
                : throw DeltaArithmetic.NotFinite(fineTuned, pretrained, name);
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    public override TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool)
        => TruncatedSvd.Compute(_matrix, rank, pool, keepNullSpace);

    public override Matrix ToMatrix() => _matrix;

    public override void Dispose() => _matrix.Dispose();
}
