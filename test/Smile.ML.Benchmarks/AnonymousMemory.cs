using System.Globalization;

namespace Smile.ML.Benchmarks;

/// <summary>Watches this process's resident memory that is not mapped from files (Linux), from creation to disposal.</summary>
internal sealed class AnonymousMemory : IDisposable
{
    private const string Status = "/proc/self/status";

    private readonly Timer _timer;
    private long _peak;

    public AnonymousMemory() => _timer = new Timer(_ => Sample(), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(5));

    /// <summary>Gets the largest size seen, in bytes; 0 where the system doesn't tell.</summary>
    public long PeakBytes => Volatile.Read(ref _peak);

    public void Dispose() => _timer.Dispose();

    private void Sample()
    {
        if (!File.Exists(Status))
        {
            return;
        }

        string line = File.ReadLines(Status).First(text => text.StartsWith("RssAnon:", StringComparison.Ordinal));
        long bytes = long.Parse(line.AsSpan()["RssAnon:".Length..^" kB".Length].Trim(), CultureInfo.InvariantCulture) * 1024;
        long before = Volatile.Read(ref _peak);
        while (bytes > before)
        {
            before = Interlocked.CompareExchange(ref _peak, bytes, before) == before ? bytes : Volatile.Read(ref _peak);
        }
    }
}
