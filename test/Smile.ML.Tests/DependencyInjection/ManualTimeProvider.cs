namespace Smile.ML.Tests.DependencyInjection;

/// <summary>A clock that stands still until it is told to go on.</summary>
internal sealed class ManualTimeProvider : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private long _now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => new(GetTimestamp(), TimeSpan.Zero);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass and fires, once each, the timers that are due by then.</summary>
    public void Advance(TimeSpan by)
    {
        Interlocked.Add(ref _now, by.Ticks);
        ManualTimer[] timers;
        lock (_lock)
        {
            timers = [.. _timers];
        }

        Array.ForEach(timers, timer => timer.FireIfDue());
    }

    private sealed class ManualTimer(ManualTimeProvider time, Action fire) : ITimer
    {
        private long? _due;
        private TimeSpan _period;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                _due = dueTime < TimeSpan.Zero ? null : time.GetTimestamp() + dueTime.Ticks;
                _period = period;
                time._timers.Remove(this);
                time._timers.Add(this);
            }

            FireIfDue();
            return true;
        }

        public void FireIfDue()
        {
            lock (time._lock)
            {
                if (_due is not { } due || due > time.GetTimestamp())
                {
                    return;
                }

                _due = _period > TimeSpan.Zero ? time.GetTimestamp() + _period.Ticks : null;
            }

            fire();
        }

        public void Dispose()
        {
            lock (time._lock)
            {
                _due = null;
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
