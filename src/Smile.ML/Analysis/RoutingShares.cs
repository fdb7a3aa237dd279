using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Networks;
using Smile.ML.Notebooks;

namespace Smile.ML.Analysis;

/// <summary>
/// Counts, layer by layer, how often each expert is chosen while models run. Safe for use from several threads. Notebooks show it as a map
/// of layers and experts.
/// </summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class RoutingShares : IRoutingObserver, IHtmlDisplay
{
    private readonly Lock _lock = new();
    private readonly string[] _experts;
    private readonly List<string> _layers = [];
    private readonly Dictionary<string, long[]> _counts = [];

    /// <summary>Creates an empty count.</summary>
    /// <param name="experts">The experts' names in router order.</param>
    public RoutingShares(params IEnumerable<string> experts)
    {
        ArgumentNullException.ThrowIfNull(experts);
        _experts = [.. experts];
    }

    /// <summary>Gets the experts' names in router order.</summary>
    public IReadOnlyList<string> Experts => _experts;

    /// <summary>Gets the layers seen so far, in the order of the computation.</summary>
    public IReadOnlyList<string> Layers
    {
        get
        {
            lock (_lock)
            {
                return [.. _layers];
            }
        }
    }

    /// <summary>Gets the share of a layer's choices that fell on each expert; they sum to 1.</summary>
    /// <param name="layer">The layer's name.</param>
    /// <exception cref="KeyNotFoundException">No such layer was run.</exception>
    public IReadOnlyList<double> this[string layer]
    {
        get
        {
            lock (_lock)
            {
                return Shares(_counts[layer]);
            }
        }
    }

    /// <summary>Gets the share of one expert in all layers together.</summary>
    /// <param name="expert">The expert's name.</param>
    /// <exception cref="ArgumentException">There is no such expert, or nothing was run.</exception>
    public double ShareOf(string expert)
    {
        int index = Array.IndexOf(_experts, expert);
        lock (_lock)
        {
            return index >= 0 && _counts.Count > 0
                ? (double)_counts.Values.Sum(counts => counts[index]) / _counts.Values.Sum(counts => counts.Sum())
                : throw new ArgumentException($"No share of {expert}: the experts are {string.Join(", ", _experts)}, and {_counts.Count} layers were run.", nameof(expert));
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The model has another number of experts.</exception>
    public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
    {
        if (logits.Length != (long)tokens * _experts.Length)
        {
            throw new ArgumentException($"Layer {layer} has {logits.Length / Math.Max(1, tokens)} experts; expected {_experts.Length}.", nameof(logits));
        }

        lock (_lock)
        {
            if (!_counts.TryGetValue(layer, out long[]? counts))
            {
                _layers.Add(layer);
                counts = _counts[layer] = new long[_experts.Length];
            }

            foreach (int expert in selected)
            {
                counts[expert]++;
            }
        }
    }

    string IHtmlDisplay.ToHtml()
    {
        lock (_lock)
        {
            return SvgPlot.HeatMap(_experts, _layers.Select(layer => (layer, Shares(_counts[layer]))));
        }
    }

    private static IReadOnlyList<double> Shares(long[] counts)
    {
        double total = counts.Sum();
        return [.. counts.Select(count => count / total)];
    }
}
