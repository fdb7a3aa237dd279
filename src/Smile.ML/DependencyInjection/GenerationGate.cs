using System.Diagnostics.CodeAnalysis;

namespace Smile.ML.DependencyInjection;

/// <summary>Lets a limited number of generations run at a time, and a limited number wait.</summary>
/// <param name="name">The predictor's name.</param>
/// <param name="options">The limits.</param>
/// <param name="metrics">Told of what is refused.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A semaphore holds nothing until its wait handle is asked for; generations may outlive the predictor.")]
internal sealed class GenerationGate(string name, SmilePredictorOptions options, PredictorMetrics metrics)
{
    private readonly SemaphoreSlim _places = new(options.MaxGenerations);
    private int _waiting;

    /// <summary>Waits for a place; whoever gets one leaves it again.</summary>
    /// <exception cref="SmileOverloadException">As many wait as the queue holds.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        if (_places.Wait(0, cancellationToken))
        {
            return;
        }

        try
        {
            if (Interlocked.Increment(ref _waiting) > options.QueueCapacity)
            {
                metrics.Overloaded(name);
                throw new SmileOverloadException(name, options.QueueCapacity);
            }

            await _places.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    /// <summary>Leaves a place.</summary>
    public void Leave() => _places.Release();
}
