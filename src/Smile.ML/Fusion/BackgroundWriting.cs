namespace Smile.ML.Fusion;

/// <summary>
/// Writes one layer after the other, in order, while the next one is computed. Only one waits to be written: memory stays that of two layers.
/// </summary>
/// <param name="aside">Whether to write on a thread of its own; otherwise at once.</param>
internal sealed class BackgroundWriting(bool aside) : IDisposable
{
    private Task _current = Task.CompletedTask;

    /// <summary>Writes something once what was added before is written.</summary>
    /// <param name="write">What writes. An exception of it is thrown by the next call.</param>
    public void Add(Action write)
    {
        Complete();
        if (aside)
        {
            _current = Task.Run(write);
        }
        else
        {
            write();
        }
    }

    /// <summary>Waits until everything is written.</summary>
    public void Complete()
    {
        Task current = _current;
        _current = Task.CompletedTask;
        current.GetAwaiter().GetResult();
    }

    /// <summary>Waits until nobody writes any more, whatever came of it: somebody else's exception is on its way.</summary>
    public void Dispose() => _current.ContinueWith(_ => { }, TaskScheduler.Default).Wait();
}
