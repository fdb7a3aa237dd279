using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Fork-join over a fixed set of threads. The calling thread takes part and waits only for pieces that another thread has begun, never
/// for a thread that has yet to wake up. A call allocates nothing. Safe to use from many threads: one call at a time gets the workers,
/// the others, nested calls among them, run on their own thread alone.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // How long a worker looks out for the next call before it sleeps, and a caller for the last pieces before it blocks. Long enough
    // for the gap between two operations of a layer, short enough not to be felt by whoever else wants the core.
    private static readonly long SpinTicks = Math.Max(1, Stopwatch.Frequency / 40_000);

    private readonly Thread[] _workers;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _finished = new(0);
    private readonly Lock _startLock = new();

    // The call in progress. _ticket is its serial number (high half) and the next piece to hand out (low half) in one word, so that a
    // worker that was held up between reading these fields and taking a piece finds the number changed, and takes nothing.
    private long _ticket;
    private int _count;
    private void* _work;
    private delegate*<void*, int, void> _execute;
    private int _done;
    private Exception? _exception;

    private int _busy;
    private int _sleepers;
    private int _callerWaits;
    private volatile bool _started;
    private volatile bool _disposed;

    /// <summary>Creates a pool. Its threads start with the first call that needs them.</summary>
    /// <param name="threads">The number of threads that work on one call, the caller's included.</param>
    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Thread[threads - 1];
    }

    /// <summary>Gets the pool over every processor that this process may use. Lives as long as the process.</summary>
    public static WorkerPool Shared { get; } = new(Environment.ProcessorCount);

    /// <summary>Gets a pool of no other thread than the caller's.</summary>
    public static WorkerPool Caller { get; } = new(1);

    /// <summary>Gets the number of threads that work on one call, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Executes every piece of the work and returns when all are done.</summary>
    /// <typeparam name="TWork">The kind of work.</typeparam>
    /// <param name="count">The number of pieces; they are handed out one by one.</param>
    /// <param name="work">The work; every thread works on this one copy.</param>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <remarks>
    /// When a piece throws, pieces not yet begun are skipped and the first exception is thrown here after the others have ended.
    /// </remarks>
    public void For<TWork>(int count, ref TWork work)
        where TWork : struct, IParallelWork, allows ref struct
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ObjectDisposedException.ThrowIf(_disposed, this);

        if (count > 1 && _workers.Length > 0 && Interlocked.CompareExchange(ref _busy, 1, 0) == 0)
        {
            Exception? exception;
            try
            {
                // Pinned in case it lives in an object; on the stack, as always here, this costs nothing.
                fixed (byte* pointer = &Unsafe.As<TWork, byte>(ref work))
                {
                    exception = ForkJoin(count, pointer, &ExecutePiece<TWork>);
                }
            }
            finally
            {
                Volatile.Write(ref _busy, 0);
            }

            if (exception is not null)
            {
                ExceptionDispatchInfo.Throw(exception);
            }
        }
        else
        {
            for (int index = 0; index < count; index++)
            {
                work.Execute(index);
            }
        }
    }

    /// <summary>Ends the threads. A call in progress on another thread completes.</summary>
    public void Dispose()
    {
        lock (_startLock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            if (!_started)
            {
                return;
            }

            _wake.Release(_workers.Length);
        }

        foreach (Thread worker in _workers)
        {
            if (worker != Thread.CurrentThread)
            {
                worker.Join();
            }
        }
    }

    private static void ExecutePiece<TWork>(void* work, int index)
        where TWork : struct, IParallelWork, allows ref struct
        => Unsafe.AsRef<TWork>(work).Execute(index);

    private Exception? ForkJoin(int count, void* work, delegate*<void*, int, void> execute)
    {
        if (!_started)
        {
            Start();
        }

        // Close the last ticket before its fields change, open the new one after.
        long ticket = ((_ticket >> 32) + 1) << 32;
        Interlocked.Exchange(ref _ticket, ticket | uint.MaxValue);
        _count = count;
        _work = work;
        _execute = execute;
        _done = 0;
        _exception = null;
        Interlocked.Exchange(ref _ticket, ticket);

        WakeWorkers(count - 1);
        Drain();
        AwaitTakenPieces(count);
        return _exception;
    }

    /// <summary>Executes pieces of the call in progress until none is left to take.</summary>
    private void Drain()
    {
        long ticket = Volatile.Read(ref _ticket);
        while (true)
        {
            uint index = (uint)ticket;
            int count = _count;
            void* work = _work;
            delegate*<void*, int, void> execute = _execute;
            if (index >= (uint)count)
            {
                return;
            }

            long seen = Interlocked.CompareExchange(ref _ticket, ticket + 1, ticket);
            if (seen != ticket)
            {
                ticket = seen;
                continue;
            }

            // The ticket had not changed, so the fields above are this call's, and stay so until the piece is counted as done.
            if (Volatile.Read(ref _exception) is null)
            {
                try
                {
                    execute(work, (int)index);
                }
#pragma warning disable CA1031 // Handed to the caller of For
                catch (Exception exception)
#pragma warning restore CA1031
                {
                    Interlocked.CompareExchange(ref _exception, exception, null);
                }
            }

            if (Interlocked.Increment(ref _done) == count && Interlocked.Exchange(ref _callerWaits, 0) == 1)
            {
                _finished.Release();
            }

            ticket = Volatile.Read(ref _ticket);
        }
    }

    private void AwaitTakenPieces(int count)
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _done) < count && Stopwatch.GetTimestamp() - start < SpinTicks)
        {
            Thread.SpinWait(8);
        }

        // A worker that lost its core just after the last piece may release the semaphore during a later call: hence the loop.
        while (Volatile.Read(ref _done) < count)
        {
            Interlocked.Exchange(ref _callerWaits, 1);
            if (Volatile.Read(ref _done) < count)
            {
                _finished.Wait();
            }

            Interlocked.Exchange(ref _callerWaits, 0);
        }
    }

    private void Start()
    {
        lock (_startLock)
        {
            if (_started || _disposed)
            {
                return;
            }

            for (int i = 0; i < _workers.Length; i++)
            {
                _workers[i] = new Thread(WorkerLoop) { IsBackground = true, Name = "Smile.ML worker" };
                _workers[i].UnsafeStart();
            }

            _started = true;
        }
    }

    private void WorkerLoop()
    {
        while (!_disposed)
        {
            Drain();
            if (!SpinForWork())
            {
                SleepUntilWoken();
            }
        }
    }

    private bool HasWork()
    {
        long ticket = Volatile.Read(ref _ticket);
        return (uint)ticket < (uint)Volatile.Read(ref _count);
    }

    private bool SpinForWork()
    {
        long start = Stopwatch.GetTimestamp();
        while (!HasWork())
        {
            if (_disposed || Stopwatch.GetTimestamp() - start >= SpinTicks)
            {
                return false;
            }

            Thread.SpinWait(8);
        }

        return true;
    }

    /// <summary>
    /// A worker counts itself among the sleepers before it looks for work a last time, and a caller opens its ticket before it counts
    /// them, so one of the two sees the other. Who lowers the count owes, or is spared, one release of the semaphore.
    /// </summary>
    private void SleepUntilWoken()
    {
        Interlocked.Increment(ref _sleepers);
        bool stayAwake = HasWork() && TakeSleepers(1) == 1;
        if (!stayAwake)
        {
            _wake.Wait();
        }
    }

    private void WakeWorkers(int wanted)
    {
        int sleepers = TakeSleepers(wanted);
        if (sleepers > 0)
        {
            _wake.Release(sleepers);
        }
    }

    private int TakeSleepers(int wanted)
    {
        while (true)
        {
            int sleepers = Volatile.Read(ref _sleepers);
            int taken = Math.Min(sleepers, wanted);
            if (taken <= 0)
            {
                return 0;
            }

            if (Interlocked.CompareExchange(ref _sleepers, sleepers - taken, sleepers) == sleepers)
            {
                return taken;
            }
        }
    }
}
