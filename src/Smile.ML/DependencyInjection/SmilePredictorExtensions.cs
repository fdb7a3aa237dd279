using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.DependencyInjection;

/// <summary>Shorter calls for models with one input of floats, e.g. images.</summary>
public static class SmilePredictorExtensions
{
    /// <summary>Runs the model on one sample, and says for each task which class it is.</summary>
    /// <param name="predictor">A predictor whose model has one float input of fixed shape.</param>
    /// <param name="sample">The input's values in row-major order, without a batch dimension; not to be changed until the task completes.</param>
    /// <param name="tasks">Names of some of the <see cref="ISmilePredictor.Tasks"/>; all where null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The embedding, and each task's classes.</returns>
    /// <exception cref="SmileException">The model takes something else, or as for <see cref="ISmilePredictor.ClassifyAsync"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static Task<SmileClassification> ClassifyAsync(
        this ISmilePredictor predictor, float[] sample, IReadOnlyCollection<string>? tasks = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        return predictor.ClassifyAsync(predictor.Batch(sample), tasks, cancellationToken);
    }

    /// <summary>Runs the model on one sample.</summary>
    /// <param name="predictor">A predictor whose model has one float input of fixed shape.</param>
    /// <param name="sample">The input's values in row-major order, without a batch dimension; not to be changed until the task completes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The model's first output.</returns>
    /// <exception cref="SmileException">The model takes something else, or as for <see cref="ISmilePredictor.PredictAsync"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<float[]> EmbedAsync(this ISmilePredictor predictor, float[] sample, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        string output = predictor.Outputs[0].Name;
        return (await predictor.PredictAsync(predictor.Batch(sample), [output], cancellationToken).ConfigureAwait(false))[output].Floats!;
    }

    private static Dictionary<string, HostTensor> Batch(this ISmilePredictor predictor, float[] sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        NetworkPort[] required = [.. predictor.Inputs.Where(port => !port.IsOptional)];
        if (required is not [{ Type: TensorType.F32 } input] || input.Shape.Any(dimension => dimension < 0))
        {
            throw new SmileException(
                $"Smile model \"{predictor.Name}\" takes {string.Join(", ", predictor.Inputs.Select(port => port.Name))}, not one sample of floats; give its inputs by name.");
        }

        int expected = input.Shape.Aggregate(1, (product, dimension) => product * dimension);
        return sample.Length == expected
            ? new Dictionary<string, HostTensor> { [input.Name] = HostTensor.FromFloats([1, .. input.Shape], sample) }
            : throw new SmileException($"The sample has {sample.Length} values; input {input.Name} [{string.Join(", ", input.Shape)}] takes {expected}.");
    }
}
