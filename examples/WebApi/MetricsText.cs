using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Numerics;
using Smile.ML.DependencyInjection;

namespace Smile.ML.Examples.WebApi;

/// <summary>Adds up what Smile.ML measures, as text in Prometheus' format. An application would rather use OpenTelemetry's exporter.</summary>
internal sealed class MetricsText : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, double> _sums = new(StringComparer.Ordinal);

    public MetricsText()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == SmileInstrumentation.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>(Add);
        _listener.SetMeasurementEventCallback<long>(Add);
        _listener.SetMeasurementEventCallback<double>(Add);
        _listener.Start();
    }

    public override string ToString()
        => string.Concat(_sums.OrderBy(sum => sum.Key, StringComparer.Ordinal).Select(sum => string.Create(CultureInfo.InvariantCulture, $"{sum.Key} {sum.Value}\n")));

    public void Dispose() => _listener.Dispose();

    private void Add<T>(Instrument instrument, T measurement, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
        where T : struct, INumber<T>
    {
        string name = instrument.Name.Replace('.', '_');
        string labels = string.Join(',', tags.ToArray().Select(tag => $"{tag.Key}=\"{tag.Value}\""));
        double value = double.CreateChecked(measurement);
        if (instrument is Histogram<T>)
        {
            Sum($"{name}_count{{{labels}}}", 1);
            Sum($"{name}_sum{{{labels}}}", value);
        }
        else
        {
            Sum($"{name}{{{labels}}}", value);
        }
    }

    private void Sum(string key, double value) => _sums.AddOrUpdate(key, value, (_, sum) => sum + value);
}
