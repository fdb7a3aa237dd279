using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>
/// How far a model's class tokens are from the fine-tuned model's after one block: the mean over samples of ||f_ft - f|| / ||f_ft||
/// (arXiv 2408.10174, section 5).
/// </summary>
/// <param name="Block">The block, from 0.</param>
/// <param name="Error">The mean relative error.</param>
public sealed record BlockError(int Block, double Error)
{
    /// <summary>Compares two models block by block.</summary>
    /// <param name="fineTuned">The fine-tuned model.</param>
    /// <param name="approximation">The model to compare with it, of the same architecture.</param>
    /// <param name="sample">The rows to run.</param>
    /// <param name="cancellationToken">Ends the comparison.</param>
    /// <returns>One error per block; none where the architecture has no blocks.</returns>
    /// <exception cref="SmileException">The sample doesn't fit the models' inputs.</exception>
    /// <exception cref="OperationCanceledException">The comparison was cancelled.</exception>
    public static IReadOnlyList<BlockError> Measure(
        SmileModel fineTuned, SmileModel approximation, TaskSample sample, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(fineTuned);
        ArgumentNullException.ThrowIfNull(approximation);
        ArgumentNullException.ThrowIfNull(sample);
        ClassTokens expected = new(), found = new();
        fineTuned.Observe(sample.Inputs, expected, cancellationToken);
        approximation.Observe(sample.Inputs, found, cancellationToken);
        return [.. expected.Blocks.Zip(found.Blocks, MeanError).Select((error, block) => new BlockError(block, error))];
    }

    /// <summary>Averages the errors of several tasks, block by block.</summary>
    /// <param name="tasks">One list per task, all as long.</param>
    /// <returns>The means.</returns>
    public static IReadOnlyList<BlockError> Mean(params IReadOnlyList<IReadOnlyList<BlockError>> tasks)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        return [.. Enumerable.Range(0, tasks.Count > 0 ? tasks[0].Count : 0).Select(block => new BlockError(block, tasks.Average(task => task[block].Error)))];
    }

    private static double MeanError(float[][] expected, float[][] found) => expected.Zip(found, RelativeError).Average();

    private static double RelativeError(float[] expected, float[] found)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double d = (double)expected[i] - found[i];
            difference += d * d;
            norm += (double)expected[i] * expected[i];
        }

        return norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
    }

    /// <summary>Keeps the first token of every sequence after each block.</summary>
    private sealed class ClassTokens : IActivationObserver
    {
        public List<float[][]> Blocks { get; } = [];

        public void OnLinearInput(Backend backend, string layer, Tensor input)
        {
        }

        public void OnBlockOutput(Backend backend, Tensor hidden, int sequences)
        {
            var values = new float[hidden.Length];
            backend.Download(hidden, values);
            int stride = values.Length / sequences;
            Blocks.Add([.. Enumerable.Range(0, sequences).Select(s => values.AsSpan(s * stride, hidden.Columns).ToArray())]);
        }
    }
}
