using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Keeps each task vector's entries of largest magnitude, over the whole model: TIES's first step.</summary>
internal static class MagnitudeTrim
{
    /// <summary>Finds each expert's threshold and gets the filter that sets smaller magnitudes to 0. Magnitudes equal to it stay.</summary>
    /// <param name="taskVectors">The models.</param>
    /// <param name="keep">The share to keep, in (0, 1].</param>
    /// <param name="before">What is done to the task vectors before; or null.</param>
    public static TaskVectorFilter Create(TaskVectors taskVectors, double keep, TaskVectorFilter? before = null)
    {
        long count = taskVectors.Tensors.Sum(tensor => tensor.ElementCount);
        long kept = Math.Clamp((long)Math.Round(keep * count), 1, count);
        var thresholds = new float[taskVectors.Count];
        taskVectors.Threads.For(thresholds.Length, expert =>
        {
            var selection = new MagnitudeSelection(count - kept);
            for (int pass = 0; pass < MagnitudeSelection.Passes; pass++)
            {
                foreach (TensorBlock block in taskVectors.Tensors.SelectMany(TensorBlock.Split))
                {
                    var values = new float[block.Length];
                    taskVectors.Read(expert, block, values);
                    before?.Invoke(expert, block, values);
                    selection.Count(values);
                }

                selection.EndPass();
            }

            thresholds[expert] = selection.Result;
        });

        return (expert, block, values) =>
        {
            before?.Invoke(expert, block, values);
            KeepBetween(values, thresholds[expert], float.MaxValue);
        };
    }

    /// <summary>Sets values of other magnitudes to 0.</summary>
    public static void KeepBetween(Span<float> values, float smallest, float largest)
    {
        foreach (ref float value in values)
        {
            float magnitude = MathF.Abs(value);
            value = magnitude >= smallest && magnitude <= largest ? value : 0;
        }
    }
}
