using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>Collects where the tokens of several tasks go, layer by layer, while a fused model runs. Not for several threads at once.</summary>
public sealed class RoutingStatistics
{
    private readonly string[] _experts;
    private readonly List<string> _tasks = [];
    private readonly List<string> _layers = [];
    private readonly Dictionary<(string Task, string Layer), Counts> _counts = [];

    /// <summary>Starts without any tokens.</summary>
    /// <param name="experts">The experts' names in router order.</param>
    public RoutingStatistics(IEnumerable<string> experts) => _experts = [.. experts];

    /// <summary>Gets the observer to run a task's rows with; its own expert is the one of the same name.</summary>
    /// <param name="task">The task's name.</param>
    /// <returns>The observer.</returns>
    public IRoutingObserver Observe(string task)
    {
        ArgumentException.ThrowIfNullOrEmpty(task);
        if (!_tasks.Contains(task))
        {
            _tasks.Add(task);
        }

        return new Observer(this, task, Array.IndexOf(_experts, task));
    }

    /// <summary>Sums up what was seen.</summary>
    /// <returns>The shares and margins, layer by layer.</returns>
    /// <exception cref="InvalidOperationException">A task that is being observed has not run yet.</exception>
    public RoutingAnalysis Summarize()
    {
        if (_tasks.Find(task => !_layers.TrueForAll(layer => _counts.ContainsKey((task, layer)))) is { } missing)
        {
            throw new InvalidOperationException($"No token of task {missing} was seen in some layer.");
        }

        return new RoutingAnalysis([.. _layers.Select(Summarize)]);
    }

    private LayerRouting Summarize(string layer)
    {
        Counts[] tasks = [.. _tasks.Select(task => _counts[(task, layer)])];
        return new LayerRouting
        {
            Layer = layer,
            Shares = new LabelledMatrix(_tasks, _experts, (task, expert) => (double)tasks[task].First[expert] / tasks[task].First.Sum()),
            Mass = new LabelledMatrix(_tasks, _experts, (task, expert) => tasks[task].Mass[expert] / tasks[task].Mass.Sum()),
            Margins = new MarginHistogram(
                [.. Enumerable.Range(0, MarginHistogram.BinCount).Select(bin => tasks.Sum(task => task.Own[bin]))],
                [.. Enumerable.Range(0, MarginHistogram.BinCount).Select(bin => tasks.Sum(task => task.Other[bin]))]),
        };
    }

    private Counts Find(string task, string layer)
    {
        if (!_counts.TryGetValue((task, layer), out Counts? counts))
        {
            counts = _counts[(task, layer)] = new Counts(_experts.Length);
            if (!_layers.Contains(layer))
            {
                _layers.Add(layer);
            }
        }

        return counts;
    }

    private sealed class Counts(int experts)
    {
        public long[] First { get; } = new long[experts];

        public double[] Mass { get; } = new double[experts];

        public long[] Own { get; } = new long[MarginHistogram.BinCount];

        public long[] Other { get; } = new long[MarginHistogram.BinCount];
    }

    private sealed class Observer(RoutingStatistics statistics, string task, int own) : IRoutingObserver
    {
        public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
        {
            Counts counts = statistics.Find(task, layer);
            int experts = logits.Length / tokens, chosen = selected.Length / tokens;
            for (int token = 0; token < tokens; token++)
            {
                int first = selected[token * chosen];
                counts.First[first]++;
                (first == own ? counts.Own : counts.Other)[MarginHistogram.BinOf(logits.Slice(token * experts, experts))]++;
                for (int i = 0; i < chosen; i++)
                {
                    counts.Mass[selected[(token * chosen) + i]] += weights[(token * chosen) + i];
                }
            }
        }
    }
}
