using Smile.ML.Checkpoints;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>Changes what another merger made of the linear layers' weights; the other tensors stay as it made them.</summary>
internal static class MergedDeltaAdjuster
{
    /// <summary>Puts a change of a layer's merged weight delta after another merger.</summary>
    /// <param name="taskVectors">The models to merge.</param>
    /// <param name="merger">The other merger.</param>
    /// <param name="adjust">Gets the new delta [outputs, inputs] from the merged one, which it must leave alone.</param>
    public static TensorMerger Create(TaskVectors taskVectors, TensorMerger merger, Func<LinearLayerInfo, Matrix, Matrix> adjust)
    {
        return new LinearLayerMerger(taskVectors, AdjustLayer, scale: 1, merger);

        Matrix AdjustLayer(LinearLayerInfo layer)
        {
            var values = new float[checked(layer.Outputs * layer.Inputs)];
            merger.MergeDelta(new TensorInfo(layer.WeightName, TensorType.F32, [layer.Outputs, layer.Inputs]), values);
            using var merged = new Matrix(layer.Outputs, layer.Inputs);
            values.CopyTo(merged.Span);
            return adjust(layer, merged);
        }
    }
}
