using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Merges entry by entry: theta_0 + scale * combination(filter(tau_1), ..., filter(tau_T)).</summary>
/// <param name="taskVectors">The models to merge.</param>
/// <param name="combine">Combines the task vectors.</param>
/// <param name="scale">The factor of the combination.</param>
/// <param name="filterOf">Gets what is done to a tensor's task vectors first; null for nothing.</param>
internal sealed class TaskVectorMerger(
    TaskVectors taskVectors, Combination combine, double scale, Func<TensorInfo, TaskVectorFilter>? filterOf = null) : TensorMerger(taskVectors)
{
    public override void MergeDelta(TensorInfo tensor, float[] delta)
    {
        TaskVectorFilter? filter = filterOf?.Invoke(tensor);
        TaskVectors.ForBlocks(tensor, block =>
        {
            var pieces = new float[TaskVectors.Count][];
            for (int expert = 0; expert < pieces.Length; expert++)
            {
                pieces[expert] = new float[block.Length];
                TaskVectors.Read(expert, block, pieces[expert]);
                filter?.Invoke(expert, block, pieces[expert]);
            }

            var merged = new double[block.Length];
            combine(pieces, merged);
            Span<float> values = delta.AsSpan((int)block.Start, block.Length);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = (float)(scale * merged[i]);
            }
        });
    }
}
