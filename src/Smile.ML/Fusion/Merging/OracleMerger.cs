using Smile.ML.Checkpoints;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// What a perfect router would make of a pool for one task: the expert's linear layers, whole or with weight deltas cut to a rank, in the
/// pretrained model's surroundings. The bound of what routing can reach, without or with the loss of truncation.
/// </summary>
/// <param name="taskVectors">The models.</param>
/// <param name="expert">The task's expert.</param>
/// <param name="rank">The rank of the weight deltas; null for all of them.</param>
internal sealed class OracleMerger(TaskVectors taskVectors, int expert, int? rank) : TensorMerger(taskVectors)
{
    public override void MergeDelta(TensorInfo tensor, float[] delta)
    {
        if (rank is { } k && TaskVectors.FindLayer(tensor.Name) is { } layer)
        {
            using WeightDelta whole = TaskVectors.ReadDelta(expert, layer);
            using TruncatedSvd svd = whole.Factorize(k, keepNullSpace: false, TaskVectors.Threads);
            using Matrix truncated = SingularTriplets.MultiplyOut(
                svd.LeftTransposed, svd.SingularValues, svd.RightTransposed, TaskVectors.Threads);
            truncated.Span.CopyTo(delta);
        }
        else if (TaskVectors.IsLinear(tensor.Name))
        {
            TaskVectors.ForBlocks(tensor, block => TaskVectors.Read(expert, block, delta.AsSpan((int)block.Start, block.Length)));
        }
    }

    protected override void ComputeParameters(TensorInfo tensor, float[] merged)
    {
        if (rank is null && TaskVectors.IsLinear(tensor.Name))
        {
            // The expert's own values, without a detour through differences.
            TaskVectors.ForBlocks(tensor, block => TaskVectors.ReadExpert(expert, block, merged.AsSpan((int)block.Start, block.Length)));
        }
        else
        {
            base.ComputeParameters(tensor, merged);
        }
    }
}
