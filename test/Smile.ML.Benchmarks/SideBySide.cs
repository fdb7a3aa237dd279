using System.Diagnostics;
using System.Globalization;
using Smile.ML.Analysis;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Measures several things in turn, a few milliseconds each, many times: whatever else the machine does meets all of them alike. The
/// minima are the machine left alone, the medians what it was like.
/// </summary>
internal sealed class SideBySide
{
    private const double SliceSeconds = 0.004;

    private readonly List<double>[] _seconds;

    private SideBySide(int count) => _seconds = [.. Enumerable.Range(0, count).Select(_ => new List<double>())];

    /// <summary>Measures.</summary>
    /// <param name="seconds">About how long to go on.</param>
    /// <param name="actions">What to measure.</param>
    public static SideBySide Measure(double seconds, params Action[] actions)
    {
        var result = new SideBySide(actions.Length);
        int[] repeats = [.. actions.Select(Repeats)];
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds || result._seconds[0].Count < 5)
        {
            for (int i = 0; i < actions.Length; i++)
            {
                result._seconds[i].Add(Run(actions[i], repeats[i]));
            }
        }

        return result;
    }

    /// <summary>Gets the times of one action.</summary>
    public Timing this[int index] => new(_seconds[index]);

    /// <summary>Tells the time of one action as a multiple of another's: the median over the rounds, and that of the minima.</summary>
    public string Ratio(int index, int other)
    {
        var ratio = new Timing(_seconds[index].Zip(_seconds[other], (x, y) => x / y));
        return string.Create(CultureInfo.InvariantCulture, $"{ratio.Median:F2} (minima {this[index].Minimum / this[other].Minimum:F2})");
    }

    /// <summary>Tells one action's median and minimum in milliseconds.</summary>
    public string Milliseconds(int index)
        => string.Create(CultureInfo.InvariantCulture, $"{this[index].Median * 1e3:F3} ms (min {this[index].Minimum * 1e3:F3})");

    private static int Repeats(Action action)
    {
        // Enough calls to have the code compiled in its final form.
        Run(action, 3);
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < 0.2)
        {
            action();
        }

        return (int)Math.Clamp(SliceSeconds / Run(action, 3), 1, 1000);
    }

    private static double Run(Action action, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
        {
            action();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
    }
}
