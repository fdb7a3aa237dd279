using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Computes a merged model tensor by tensor.</summary>
internal abstract class TensorMerger(TaskVectors taskVectors)
{
    /// <summary>Gets the models to merge.</summary>
    protected TaskVectors TaskVectors { get; } = taskVectors;

    /// <summary>Computes a merged tensor.</summary>
    /// <param name="tensor">A floating-point tensor of the pretrained model.</param>
    /// <param name="merged">Receives all its elements.</param>
    /// <exception cref="SmileException">A value is not finite.</exception>
    public void Merge(TensorInfo tensor, float[] merged)
    {
        ComputeParameters(tensor, merged);
        if (merged.AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
        {
            throw TaskVectors.NotFinite(tensor.Name);
        }
    }

    /// <summary>Computes what a merged tensor adds to the pretrained one.</summary>
    /// <param name="tensor">A floating-point tensor of the pretrained model.</param>
    /// <param name="delta">Receives all its elements.</param>
    /// <exception cref="SmileException">A value is not finite.</exception>
    public abstract void MergeDelta(TensorInfo tensor, float[] delta);

    /// <summary>Computes a merged tensor without checking it.</summary>
    protected virtual void ComputeParameters(TensorInfo tensor, float[] merged)
    {
        MergeDelta(tensor, merged);
        TaskVectors.ForBlocks(tensor, block =>
        {
            var pretrained = new float[block.Length];
            TaskVectors.ReadPretrained(block, pretrained);
            Span<float> values = merged.AsSpan((int)block.Start, block.Length);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] += pretrained[i];
            }
        });
    }
}
