using Smile.ML.Checkpoints;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>Merges the weights of linear layers as matrices, and leaves every other tensor to another merger.</summary>
/// <param name="taskVectors">The models to merge.</param>
/// <param name="mergeLayer">Gets what a layer's merged weight adds to the pretrained one [outputs, inputs], before scaling.</param>
/// <param name="scale">The factor of that.</param>
/// <param name="others">Merges the other tensors.</param>
internal sealed class LinearLayerMerger(
    TaskVectors taskVectors, Func<LinearLayerInfo, Matrix> mergeLayer, double scale, TensorMerger others) : TensorMerger(taskVectors)
{
    /// <summary>Makes a merger that takes the scaled mean of the task vectors for the other tensors, as the matrix methods' papers do.</summary>
    public LinearLayerMerger(TaskVectors taskVectors, Func<LinearLayerInfo, Matrix> mergeLayer, double scale)
        : this(taskVectors, mergeLayer, scale, new TaskVectorMerger(taskVectors, Combinations.Mean, scale))
    {
    }

    public override void MergeDelta(TensorInfo tensor, float[] delta)
    {
        if (TaskVectors.FindLayer(tensor.Name) is not { } layer)
        {
            others.MergeDelta(tensor, delta);
            return;
        }

        using Matrix merged = mergeLayer(layer);
        for (int row = 0; row < merged.Rows; row++)
        {
            ReadOnlySpan<float> from = merged.Row(row);
            Span<float> to = delta.AsSpan(row * merged.Columns, merged.Columns);
            for (int i = 0; i < to.Length; i++)
            {
                to[i] = (float)(scale * from[i]);
            }
        }
    }
}
