using System.Threading.Channels;

namespace Smile.ML.DependencyInjection;

/// <summary>
/// Waiting requests, given out as batches: the one that waits longest, and whichever can be run together with it. Any number of threads
/// put requests in, one takes batches out.
/// </summary>
internal sealed class RequestQueue(string model, SmilePredictorOptions options, PredictorMetrics metrics, TimeProvider time)
{
    // Bounded by _length and not by itself: requests set aside wait, too.
    private readonly Channel<PredictionRequest> _arrivals =
        Channel.CreateUnbounded<PredictionRequest>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Requests that arrived earlier than those in the channel, but did not go with the batch that was gathered then.</summary>
    private readonly List<PredictionRequest> _setAside = [];

    private Task<bool>? _arrival;
    private int _length;

    /// <summary>Gets the number of waiting requests. One that is cancelled counts until its turn comes.</summary>
    public int Length => Volatile.Read(ref _length);

    /// <summary>Puts a request in.</summary>
    /// <exception cref="SmileOverloadException">The queue is full.</exception>
    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public void Add(PredictionRequest request)
    {
        if (Interlocked.Increment(ref _length) > options.QueueCapacity)
        {
            Interlocked.Decrement(ref _length);
            metrics.Overloaded(model);
            throw new SmileOverloadException(model, options.QueueCapacity);
        }

        if (!_arrivals.Writer.TryWrite(request))
        {
            Interlocked.Decrement(ref _length);
            throw new ObjectDisposedException(nameof(ISmilePredictor));
        }

        metrics.QueueChanged(model, 1);
    }

    /// <summary>Takes no more requests; those inside are still given out, and not made to wait any longer.</summary>
    public void Close() => _arrivals.Writer.TryComplete();

    /// <summary>Counts requests that were taken out as waiting no more.</summary>
    public void Leave(int requests)
    {
        Interlocked.Add(ref _length, -requests);
        metrics.QueueChanged(model, -requests);
    }

    /// <summary>
    /// Waits for a request, and then for others that go with it, until the batch is full or the first has waited as long as it may.
    /// </summary>
    /// <returns>The batch, whose requests count as waiting until <see cref="Leave"/>; null once the queue is closed and empty.</returns>
    public async Task<IReadOnlyList<PredictionRequest>?> TakeBatchAsync()
    {
        if (await TakeFirstAsync().ConfigureAwait(false) is not { } first)
        {
            return null;
        }

        var batch = new BatchBuilder(first, options.MaxBatchSize);
        _setAside.RemoveAll(batch.TryAdd);
        while (true)
        {
            while (!batch.IsFull && _arrivals.Reader.TryRead(out PredictionRequest? next))
            {
                if (!batch.TryAdd(next))
                {
                    _setAside.Add(next);
                }
            }

            TimeSpan left = options.MaxWait - time.GetElapsedTime(first.Arrived);
            if (batch.IsFull || left <= TimeSpan.Zero || await IsClosedAsync(left).ConfigureAwait(false))
            {
                return batch.Requests;
            }
        }
    }

    private async Task<PredictionRequest?> TakeFirstAsync()
    {
        if (_setAside is [var oldest, ..])
        {
            _setAside.RemoveAt(0);
            return oldest;
        }

        PredictionRequest? request;
        while (!_arrivals.Reader.TryRead(out request))
        {
            if (!await ArrivalAsync().ConfigureAwait(false))
            {
                return null;
            }
        }

        return request;
    }

    /// <summary>Waits for the next arrival, but not for longer than it may; returns whether none can come any more.</summary>
    private async Task<bool> IsClosedAsync(TimeSpan wait)
    {
        Task<bool> arrival = ArrivalAsync();
        if (arrival.IsCompleted)
        {
            return !await arrival.ConfigureAwait(false);
        }

        using var alarm = new CancellationTokenSource();
        await Task.WhenAny(arrival, Task.Delay(wait, time, alarm.Token)).ConfigureAwait(false);
        await alarm.CancelAsync().ConfigureAwait(false);
        return arrival.IsCompleted && !await arrival.ConfigureAwait(false);
    }

    /// <summary>The channel knows one waiting reader: a wait that outlived its batch is taken up again.</summary>
    private Task<bool> ArrivalAsync()
    {
        if (_arrival is null or { IsCompleted: true })
        {
            _arrival = _arrivals.Reader.WaitToReadAsync().AsTask();
        }

        return _arrival;
    }

    /// <summary>A batch in the making.</summary>
    private sealed class BatchBuilder(PredictionRequest first, int maxRows)
    {
        private int _rows = first.Rows;
        private bool _closed;

        public List<PredictionRequest> Requests { get; } = [first];

        public bool IsFull => _closed || _rows >= maxRows;

        public bool TryAdd(PredictionRequest request)
        {
            if (IsFull || request.Key != first.Key)
            {
                return false;
            }

            if (_rows + request.Rows > maxRows)
            {
                // It would go with the batch but for its size; smaller ones behind it must not overtake it.
                _closed = true;
                return false;
            }

            Requests.Add(request);
            _rows += request.Rows;
            return true;
        }
    }
}
