using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML.DependencyInjection;

/// <summary>
/// Serves one model to any number of concurrent callers. Requests that arrive together, and have inputs of the same shapes and want the
/// same outputs, are run as one batch; what a row gives doesn't depend on the rows beside it, bit by bit.
/// </summary>
public interface ISmilePredictor
{
    /// <summary>Gets the model's name; empty for the one registered without.</summary>
    string Name { get; }

    /// <summary>Gets what the model takes. Reloading doesn't change it.</summary>
    IReadOnlyList<NetworkPort> Inputs { get; }

    /// <summary>Gets what it gives, the output that serves as a sample's embedding first. Reloading doesn't change it.</summary>
    IReadOnlyList<NetworkPort> Outputs { get; }

    /// <summary>Gets the task heads of the model that is served now.</summary>
    IReadOnlyList<TaskHead> Heads { get; }

    /// <summary>
    /// Gets the tasks that <see cref="ClassifyAsync"/> knows now: the heads' names, then what the network classifies itself: an expert's name
    /// for its own <c>EXPERT.logits</c>, <c>logits</c> for the logits that all share.
    /// </summary>
    IReadOnlyList<string> Tasks { get; }

    /// <summary>Gets how the predictor is doing.</summary>
    SmilePredictorStatus Status { get; }

    /// <summary>Runs the model on one sample or a small batch.</summary>
    /// <param name="inputs">
    /// The inputs by name, batch first, shaped as <see cref="Inputs"/> says; at most <see cref="SmilePredictorOptions.MaxBatchSize"/> rows.
    /// The arrays must not change until the task completes.
    /// </param>
    /// <param name="outputs">Names of the outputs to compute; all where null.</param>
    /// <param name="cancellationToken">Ends the wait; a batch that runs already is run to its end for the others in it.</param>
    /// <returns>The outputs by name, batch first.</returns>
    /// <exception cref="SmileException">An input is missing or of another shape or type, or an output is unknown.</exception>
    /// <exception cref="SmileOverloadException">As many requests are waiting as the queue holds.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed before the request was made.</exception>
    Task<IReadOnlyDictionary<string, HostTensor>> PredictAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs = null, CancellationToken cancellationToken = default);

    /// <summary>Runs the model on one sample, and says for each task which class it is.</summary>
    /// <param name="inputs">The inputs of one sample by name, with a batch dimension of 1.</param>
    /// <param name="tasks">Names of some of the <see cref="Tasks"/>; all where null.</param>
    /// <param name="cancellationToken">As for <see cref="PredictAsync"/>.</param>
    /// <returns>The embedding, and each task's classes. Model and heads are always of one and the same load.</returns>
    /// <exception cref="SmileException">As for <see cref="PredictAsync"/>; or there is more than one sample, or a task is unknown.</exception>
    /// <exception cref="SmileOverloadException">As many requests are waiting as the queue holds.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed before the request was made.</exception>
    Task<SmileClassification> ClassifyAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? tasks = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Continues one sequence or a small batch, giving each token as soon as it is known. Generations are not batched: they run beside the batches
    /// of the other methods, at most <see cref="SmilePredictorOptions.MaxGenerations"/> at a time. One that began before a reload ends
    /// with the model that it began with.
    /// </summary>
    /// <param name="inputs">The inputs by name, batch first, shaped as <see cref="Inputs"/> says. The arrays must not change meanwhile.</param>
    /// <param name="options">How to choose tokens and when to end; the defaults where null.</param>
    /// <param name="cancellationToken">Ends the generation between layers.</param>
    /// <returns>The new tokens: one of each sequence that has not ended, in the order of the sequences, then the next of each. Computed as it is enumerated.</returns>
    /// <exception cref="SmileException">
    /// The model doesn't generate, an input is missing or of another shape or type, or an option is out of range.
    /// </exception>
    /// <exception cref="SmileOverloadException">As many generations are waiting as the queue holds.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed before the generation began.</exception>
    IAsyncEnumerable<GeneratedToken> GenerateAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, GenerationOptions? options = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Loads model and heads from their folders again, beside the ones that are served, and then serves them. Requests go on meanwhile; a
    /// batch that runs is finished with the model that it began with.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for another reload, or gives the loaded model up before it is served.</param>
    /// <exception cref="SmileException">
    /// A folder is not readable, a head doesn't fit, or the model takes or gives something else than the current one, which then stays in service.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The predictor was disposed.</exception>
    Task ReloadAsync(CancellationToken cancellationToken = default);
}
