using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML.DependencyInjection;

/// <summary>
/// The predictor: callers put requests into the queue, one loop takes batches out and runs them, one after the other since each uses the
/// whole device. A reload replaces the model between two batches.
/// </summary>
internal sealed class SmilePredictor : ISmilePredictor, IAsyncDisposable, IDisposable
{
    private readonly SmilePredictorOptions _options;
    private readonly Func<ServedModel> _load;
    private readonly PredictorMetrics _metrics;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly RequestQueue _queue;
    private readonly GenerationGate _generations;
    private readonly SemaphoreSlim _reloading = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lazy<Task> _stopped;
    private readonly Task _serving;
    private readonly Task _watching;

    private ServedModel _model;
    private string _fingerprint;
    private Exception? _reloadError;

    /// <summary>Loads the model and begins to serve it.</summary>
    /// <param name="name">The model's name.</param>
    /// <param name="options">Valid options.</param>
    /// <param name="load">Loads model and heads.</param>
    /// <param name="metrics">What is measured.</param>
    /// <param name="logger">What is logged.</param>
    /// <param name="time">For waits and durations.</param>
    /// <exception cref="SmileException">The model can't be loaded.</exception>
    public SmilePredictor(
        string name, SmilePredictorOptions options, Func<ServedModel> load, PredictorMetrics metrics, ILogger<ISmilePredictor> logger, TimeProvider time)
    {
        (Name, _options, _load, _metrics, _logger, _time) = (name, options, load, metrics, logger, time);
        _fingerprint = Fingerprint();
        _model = Load();
        _queue = new RequestQueue(name, options, metrics, time);
        _generations = new GenerationGate(name, options, metrics);
        _stopped = new Lazy<Task>(StopAsync);
        _serving = Task.Run(ServeAsync);
        _watching = options.ReloadOnChange ? Task.Run(WatchAsync) : Task.CompletedTask;
    }

    public string Name { get; }

    public IReadOnlyList<NetworkPort> Inputs => Volatile.Read(ref _model).Inputs;

    public IReadOnlyList<NetworkPort> Outputs => Volatile.Read(ref _model).Outputs;

    public IReadOnlyList<TaskHead> Heads => Volatile.Read(ref _model).Heads;

    public IReadOnlyList<string> Tasks => [.. Volatile.Read(ref _model).Tasks.Select(task => task.Name)];

    public SmilePredictorStatus Status => new(Volatile.Read(ref _model).LoadedAt, _queue.Length, _options.QueueCapacity, Volatile.Read(ref _reloadError));

    public async Task<IReadOnlyDictionary<string, HostTensor>> PredictAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        return (await AskAsync(inputs, outputs, cancellationToken).ConfigureAwait(false)).Outputs;
    }

    public async Task<SmileClassification> ClassifyAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? tasks = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (inputs.FirstOrDefault(input => input.Value is { Shape: not [1, ..] }) is { Value: { } several } wrong)
        {
            throw new SmileException($"Input {wrong.Key} is [{string.Join(", ", several.Shape)}]; expected one sample, [1, ...].");
        }

        // Looked up before, so that nothing is computed in vain, and again in the tasks that were loaded with the model that ran.
        string embedding = Outputs[0].Name;
        string[] outputs = [embedding, .. Select(Volatile.Read(ref _model).Tasks, tasks).Select(task => task.Output)];
        PredictionResult result = await AskAsync(inputs, [.. outputs.Distinct()], cancellationToken).ConfigureAwait(false);
        return new SmileClassification(
            result.Outputs[embedding].Floats!,
            Select(result.Tasks, tasks).ToDictionary(task => task.Name, task => task.Predict(result.Outputs[task.Output].Floats!)));
    }

    public async IAsyncEnumerable<GeneratedToken> GenerateAsync(
        IReadOnlyDictionary<string, HostTensor> inputs,
        GenerationOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ObjectDisposedException.ThrowIf(IsStopping, this);
        using Activity? activity = PredictorMetrics.Activities.StartActivity("smile.generate");
        activity?.SetTag("model", Name);
        long start = _time.GetTimestamp();
        string outcome = "error";
        ServedModel? model = null;
        bool entered = false;
        try
        {
            try
            {
                await _generations.EnterAsync(cancellationToken).ConfigureAwait(false);
                entered = true;
            }
            catch (SmileOverloadException)
            {
                outcome = "overload";
                throw;
            }

            model = AcquireUnlessStopped();
            await foreach (GeneratedToken token in model.GenerateAsync(inputs, options, cancellationToken).ConfigureAwait(false))
            {
                // Callers may also end a generation by not asking for more.
                outcome = "cancelled";
                yield return token;
                outcome = "error";
            }

            outcome = "success";
        }
        finally
        {
            model?.Release();
            if (entered)
            {
                _generations.Leave();
            }

            outcome = outcome == "error" && cancellationToken.IsCancellationRequested ? "cancelled" : outcome;
            activity?.SetTag("outcome", outcome);
            activity?.SetStatus(outcome == "success" ? ActivityStatusCode.Unset : ActivityStatusCode.Error);
            _metrics.RequestEnded(Name, outcome, _time.GetElapsedTime(start));
        }
    }

    public async Task ReloadAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(IsStopping, this);
        await _reloading.WaitAsync(cancellationToken).ConfigureAwait(false);
        string fingerprint = _fingerprint;
        try
        {
            ObjectDisposedException.ThrowIf(IsStopping, this);
            fingerprint = Fingerprint();
            ServedModel loaded = await Task.Run(LoadReplacement, cancellationToken).ConfigureAwait(false);
            if (cancellationToken.IsCancellationRequested)
            {
                loaded.Release();
                cancellationToken.ThrowIfCancellationRequested();
            }

            Interlocked.Exchange(ref _model, loaded).Release();
            _fingerprint = fingerprint;
            Volatile.Write(ref _reloadError, null);
            _metrics.Reloaded(Name, succeeded: true);
            Log.Reloaded(_logger, Name, _options.ModelFolder);
        }
        catch (Exception e) when (e is not (OperationCanceledException or ObjectDisposedException))
        {
            _fingerprint = fingerprint;
            Volatile.Write(ref _reloadError, e);
            _metrics.Reloaded(Name, succeeded: false);
            Log.ReloadFailed(_logger, e, Name, _options.ModelFolder);
            throw;
        }
        finally
        {
            _reloading.Release();
        }
    }

    /// <summary>Takes no more requests, answers those accepted, and frees the model.</summary>
    public ValueTask DisposeAsync() => new(_stopped.Value);

    /// <summary>As <see cref="DisposeAsync"/>, for containers that are not disposed asynchronously.</summary>
    public void Dispose() => Task.Run(() => _stopped.Value).GetAwaiter().GetResult();

    private bool IsStopping => _stopping.IsCancellationRequested;

    private static IReadOnlyList<ServedTask> Select(IReadOnlyList<ServedTask> tasks, IReadOnlyCollection<string>? names)
        => names is null
            ? tasks
            : [.. names.Distinct().Select(name => tasks.FirstOrDefault(task => task.Name == name)
                ?? throw new SmileException($"There is no head for task {name}; found {(tasks.Count > 0
                    ? string.Join(", ", tasks.Select(task => task.Name))
                    : $"none: {nameof(SmilePredictorOptions.HeadsFolder)} is not set, and the network itself chooses among no classes")}."))];

    private string Fingerprint()
        => FolderFingerprint.Of(_options.HeadsFolder is { } heads ? [_options.ModelFolder, heads] : [_options.ModelFolder]);

    private ServedModel Load()
    {
        long start = _time.GetTimestamp();
        ServedModel model = _load();
        model.LoadedAt = _time.GetUtcNow();
        Log.Loaded(_logger, Name, _options.ModelFolder, model.Device, model.Heads.Count, _time.GetElapsedTime(start).TotalMilliseconds);
        return model;
    }

    private ServedModel LoadReplacement()
    {
        ServedModel model = Load();
        try
        {
            model.RequireSameInterface(_model);
            return model;
        }
        catch
        {
            model.Release();
            throw;
        }
    }

    /// <summary>Puts a request into the queue and waits for its answer.</summary>
    private async Task<PredictionResult> AskAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsStopping, this);
        using Activity? activity = PredictorMetrics.Activities.StartActivity("smile.predict");
        activity?.SetTag("model", Name);
        long start = _time.GetTimestamp();
        string outcome = "error";
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            var request = new PredictionRequest(inputs, outputs, _options.MaxBatchSize, start);
            _queue.Add(request);
            PredictionResult result;
            using (cancellationToken.UnsafeRegister(static (state, token) => ((PredictionRequest)state!).Cancel(token), request))
            {
                result = await request.Completion.ConfigureAwait(false);
            }

            outcome = "success";
            return result;
        }
        catch (OperationCanceledException)
        {
            outcome = "cancelled";
            throw;
        }
        catch (SmileOverloadException)
        {
            outcome = "overload";
            throw;
        }
        finally
        {
            activity?.SetTag("outcome", outcome);
            activity?.SetStatus(outcome == "success" ? ActivityStatusCode.Unset : ActivityStatusCode.Error);
            _metrics.RequestEnded(Name, outcome, _time.GetElapsedTime(start));
        }
    }

    private async Task ServeAsync()
    {
        while (await _queue.TakeBatchAsync().ConfigureAwait(false) is { } batch)
        {
            try
            {
                _queue.Leave(batch.Count);
                Serve([.. batch.Where(request => !request.IsCompleted)]);
            }
#pragma warning disable CA1031 // Handed to those who still wait
            catch (Exception e)
#pragma warning restore CA1031
            {
                // A logger or a listener to the metrics threw. That ends this batch, not the service.
                foreach (PredictionRequest request in batch)
                {
                    request.Fail(e);
                }
            }
        }
    }

    private void Serve(PredictionRequest[] waiting)
    {
        if (waiting.Length == 0)
        {
            return;
        }

        ServedModel model = Acquire();
        try
        {
            Answer(waiting, model);
        }
        finally
        {
            model.Release();
        }
    }

    private ServedModel Acquire()
    {
        while (true)
        {
            // It may be replaced, and freed, between the two steps: then there is another.
            ServedModel model = Volatile.Read(ref _model);
            if (model.TryAcquire())
            {
                return model;
            }
        }
    }

    /// <exception cref="ObjectDisposedException">The predictor has stopped.</exception>
    private ServedModel AcquireUnlessStopped()
    {
        ObjectDisposedException.ThrowIf(IsStopping, this);
        ServedModel model = Volatile.Read(ref _model);
        while (!model.TryAcquire())
        {
            ObjectDisposedException.ThrowIf(IsStopping, this);
            model = Volatile.Read(ref _model);
        }

        return model;
    }

    private void Answer(PredictionRequest[] requests, ServedModel model)
    {
        try
        {
            Run(requests, model);
        }
        catch (Exception e) when (requests.Length > 1)
        {
            // One may be at fault, e.g. with an id that is not in the vocabulary. The others must not suffer: each is run alone.
            Log.BatchFailed(_logger, e, Name, requests.Length);
            foreach (PredictionRequest request in requests)
            {
                Answer([request], model);
            }
        }
        catch (Exception e)
        {
            if (e is not SmileException)
            {
                Log.RequestFailed(_logger, e, Name);
            }

            requests[0].Fail(e);
        }
    }

    private void Run(PredictionRequest[] requests, ServedModel model)
    {
        int rows = requests.Sum(request => request.Rows);
        using Activity? activity = PredictorMetrics.Activities.StartActivity(
            ActivityKind.Internal,
            name: "smile.batch",
            links: requests.Where(request => request.Activity != default).Select(request => new ActivityLink(request.Activity)));
        activity?.SetTag("model", Name).SetTag("rows", rows);
        long start = _time.GetTimestamp();
        IReadOnlyDictionary<string, HostTensor> inputs = requests is [var only]
            ? only.Inputs
            : requests[0].Inputs.Keys.ToDictionary(name => name, name => TensorRows.Concatenate([.. requests.Select(request => request.Inputs[name])]));
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs, requests[0].Outputs);
        TimeSpan elapsed = _time.GetElapsedTime(start);
        _metrics.BatchRan(Name, rows, elapsed);
        Log.BatchRan(_logger, Name, rows, requests.Length, elapsed.TotalMilliseconds);

        int row = 0;
        foreach (PredictionRequest request in requests)
        {
            int first = row;
            row += request.Rows;
            request.Complete(new PredictionResult(
                requests.Length == 1 ? outputs : outputs.ToDictionary(output => output.Key, output => TensorRows.Slice(output.Value, first, request.Rows)),
                model.Tasks));
        }
    }

    /// <summary>Reloads when the files are others than those last loaded, or tried, and have been so for one interval.</summary>
    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(_options.ReloadInterval, _time);
        string before = _fingerprint;
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
            {
                string now = Fingerprint();
                if (now != _fingerprint && now == before)
                {
                    await TryReloadAsync().ConfigureAwait(false);
                }

                before = now;
            }
        }
        catch (OperationCanceledException)
        {
            // The predictor stops.
        }
    }

    private async Task TryReloadAsync()
    {
        try
        {
            await ReloadAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Logged; the current model stays in service, and the next change is another chance.
        }
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _queue.Close();
        try
        {
            await _watching.ConfigureAwait(false);
            await _serving.ConfigureAwait(false);
        }
        finally
        {
            // A reload under way ends first. Those that still wait find that the predictor has stopped.
            await _reloading.WaitAsync().ConfigureAwait(false);
            _model.Release();
            _reloading.Release();
            _stopping.Dispose();
        }

        Log.Stopped(_logger, Name);
    }
}
