using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Smile.ML.DependencyInjection;

/// <summary>What is measured of all predictors of a container; see <see cref="SmileInstrumentation.MeterName"/>.</summary>
internal sealed class PredictorMetrics : IDisposable
{
    public static readonly ActivitySource Activities = new(SmileInstrumentation.ActivitySourceName);

    private readonly Meter? _owned;
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _requestDuration;
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _batchDuration;
    private readonly UpDownCounter<int> _queueLength;
    private readonly Counter<long> _overloads;
    private readonly Counter<long> _reloads;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">Makes and owns the meter; null where the application has none.</param>
    public PredictorMetrics(IMeterFactory? factory)
    {
        Meter meter = factory?.Create(SmileInstrumentation.MeterName) ?? (_owned = new Meter(SmileInstrumentation.MeterName));
        _requests = meter.CreateCounter<long>("smile.requests", "{request}", "Requests, by outcome.");
        _requestDuration = meter.CreateHistogram<double>("smile.request.duration", "s", "Time from a request to its answer.");
        _batchSize = meter.CreateHistogram<int>("smile.batch.size", "{row}", "Rows that were run together.");
        _batchDuration = meter.CreateHistogram<double>("smile.batch.duration", "s", "Time of one run of the model.");
        _queueLength = meter.CreateUpDownCounter<int>("smile.queue.length", "{request}", "Requests that wait.");
        _overloads = meter.CreateCounter<long>("smile.overloads", "{request}", "Requests refused because the queue was full.");
        _reloads = meter.CreateCounter<long>("smile.reloads", "{reload}", "Reloads of the model, by outcome.");
    }

    public void RequestEnded(string model, string outcome, TimeSpan elapsed)
    {
        _requests.Add(1, Tag(model), new("outcome", outcome));
        _requestDuration.Record(elapsed.TotalSeconds, Tag(model), new("outcome", outcome));
    }

    public void BatchRan(string model, int rows, TimeSpan elapsed)
    {
        _batchSize.Record(rows, Tag(model));
        _batchDuration.Record(elapsed.TotalSeconds, Tag(model));
    }

    public void QueueChanged(string model, int by) => _queueLength.Add(by, Tag(model));

    public void Overloaded(string model) => _overloads.Add(1, Tag(model));

    public void Reloaded(string model, bool succeeded) => _reloads.Add(1, Tag(model), new("outcome", succeeded ? "success" : "error"));

    public void Dispose() => _owned?.Dispose();

    private static KeyValuePair<string, object?> Tag(string model) => new("model", model);
}
