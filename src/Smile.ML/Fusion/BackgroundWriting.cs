namespace Smile.ML.Fusion;

/// <summary>
/// Writes one thing after the other, in order, while the next one is computed. Of what takes memory only one waits to be written.
/// </summary>
/// <param name="aside">Whether to write on a thread of its own; otherwise at once.</param>
internal sealed class BackgroundWriting(bool aside) : IDisposable
{
    private Task _current = Task.CompletedTask;

    /// <summary>Gets a value indicating whether writing goes on beside other work.</summary>
    public bool IsAside => aside;

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

    /// <summary>Writes something after what was added before, but waits for nothing. Not to be called while another call is in progress.</summary>
    /// <param name="write">What writes, and takes no memory until then. An exception of it is thrown by a later <see cref="Add"/> or <see cref="Complete"/>.</param>
    /// <exception cref="InvalidOperationException">This does not write aside.</exception>
    public void Append(Action write)
    {
        if (!aside)
        {
            throw new InvalidOperationException("What is written at once is not written beside other work.");
        }

        _current = _current.ContinueWith(
            before =>
            {
                before.GetAwaiter().GetResult();
                write();
            },
            TaskScheduler.Default);
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
