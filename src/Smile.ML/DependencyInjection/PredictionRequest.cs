using System.Diagnostics;
using Smile.ML.Checkpoints;

namespace Smile.ML.DependencyInjection;

/// <summary>A request on its way through a predictor: waiting, in a batch, or answered.</summary>
internal sealed class PredictionRequest
{
    // Callers go on elsewhere: their code must not hold up the next batch.
    private readonly TaskCompletionSource<PredictionResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Records a request.</summary>
    /// <param name="inputs">Inputs by name.</param>
    /// <param name="outputs">Wanted outputs; all where null.</param>
    /// <param name="maxRows">The most rows that it may have.</param>
    /// <param name="arrived">The time stamp of its arrival.</param>
    /// <exception cref="SmileException">The inputs have no rows, too many, or not the same number.</exception>
    public PredictionRequest(IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs, int maxRows, long arrived)
    {
        (Inputs, Outputs, Arrived) = (inputs, outputs, arrived);
        Rows = CountRows(inputs, maxRows);
        Key = MakeKey(inputs, outputs);
    }

    public IReadOnlyDictionary<string, HostTensor> Inputs { get; }

    public IReadOnlyCollection<string>? Outputs { get; }

    public int Rows { get; }

    /// <summary>Gets what requests of one batch have in common: inputs with their shapes after the batch dimension, and wanted outputs.</summary>
    public string Key { get; }

    public long Arrived { get; }

    /// <summary>Gets the caller's activity, for the batch to link to.</summary>
    public ActivityContext Activity { get; } = System.Diagnostics.Activity.Current?.Context ?? default;

    public Task<PredictionResult> Completion => _completion.Task;

    public bool IsCompleted => _completion.Task.IsCompleted;

    public void Complete(PredictionResult result) => _completion.TrySetResult(result);

    public void Fail(Exception exception) => _completion.TrySetException(exception);

    public void Cancel(CancellationToken cancellationToken) => _completion.TrySetCanceled(cancellationToken);

    private static int CountRows(IReadOnlyDictionary<string, HostTensor> inputs, int maxRows)
    {
        if (inputs.Count == 0)
        {
            throw new SmileException("The request has no inputs.");
        }

        long? rows = null;
        foreach ((string name, HostTensor tensor) in inputs)
        {
            ArgumentNullException.ThrowIfNull(tensor, name);
            if (tensor.Shape.Count == 0 || tensor.Shape[0] < 1 || tensor.Shape[0] > maxRows || tensor.Shape[0] != (rows ??= tensor.Shape[0]))
            {
                throw new SmileException(
                    $"Input {name} is [{string.Join(", ", tensor.Shape)}]; expected 1 to {maxRows} rows ({nameof(SmilePredictorOptions.MaxBatchSize)}), as many as every input.");
            }
        }

        return (int)rows!.Value;
    }

    private static string MakeKey(IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs)
    {
        IEnumerable<string> shapes = inputs.OrderBy(input => input.Key, StringComparer.Ordinal)
            .Select(input => $"{input.Key}:{input.Value.Type}[{string.Join(',', input.Value.Shape.Skip(1))}]");
        return $"{string.Join('|', shapes)}>{(outputs is null ? "*" : string.Join('|', outputs.Order(StringComparer.Ordinal)))}";
    }
}
