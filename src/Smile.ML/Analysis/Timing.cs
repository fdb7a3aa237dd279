using System.Diagnostics;

namespace Smile.ML.Analysis;

/// <summary>Several measurements of one thing.</summary>
internal sealed class Timing
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1.5);

    private readonly double[] _sorted;

    /// <summary>Takes the measurements.</summary>
    /// <param name="values">At least one.</param>
    public Timing(IEnumerable<double> values)
    {
        _sorted = [.. values.Order()];
        ArgumentOutOfRangeException.ThrowIfZero(_sorted.Length, nameof(values));
    }

    /// <summary>Gets the median.</summary>
    public double Median => (_sorted[(_sorted.Length - 1) / 2] + _sorted[_sorted.Length / 2]) / 2;

    /// <summary>Gets the smallest.</summary>
    public double Minimum => _sorted[0];

    /// <summary>Gets the largest.</summary>
    public double Maximum => _sorted[^1];

    /// <summary>Runs an action for a second and a half to warm up, once at least, and then several times.</summary>
    /// <param name="runs">Measured runs.</param>
    /// <param name="action">What to measure.</param>
    /// <param name="cleanUp">What to do after each run, unmeasured.</param>
    /// <returns>Seconds per run.</returns>
    public static Timing Measure(int runs, Action action, Action cleanUp)
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentNullException.ThrowIfNull(cleanUp);

        // The runtime compiles what is called often a second time, on a thread of its own.
        long begin = Stopwatch.GetTimestamp();
        do
        {
            action();
            cleanUp();
        }
        while (Stopwatch.GetElapsedTime(begin) < WarmUp);

        var seconds = new List<double>();
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            cleanUp();
        }

        return new Timing(seconds);
    }
}
