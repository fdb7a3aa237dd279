using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Fork-join over a fixed set of threads. The calling thread takes part and waits only for pieces that another thread has begun, never
/// for a thread that has yet to wake up. Every thread begins with its own share of the pieces, neighbours that are the same from call to
/// call, so that it meets again what is in its core's cache; then it helps the others. A call allocates nothing. Safe to use from many
/// threads: one call at a time gets the workers, the others, nested calls among them, run on their own thread alone.
/// </summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // How long a worker looks out for the next call before it sleeps. Long enough for the gap between two operations of a layer, short
    // enough not to be felt by whoever else wants the core.
    private static readonly long SpinTicks = Math.Max(1, Stopwatch.Frequency / 40_000);

    // How long a thread looks out for the end of a call, of which others have the last pieces: that is where to wake up takes the most.
    private static readonly long EndSpinTicks = Math.Max(1, Stopwatch.Frequency / 2_000);

    private const int CellSpacing = 128 / sizeof(long);

    private readonly Thread[] _workers;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly SemaphoreSlim _finished = new(0);
    private readonly Lock _startLock = new();

    // The call in progress, and its number: 0 while they change. A worker that reads the same number before and after has read one call.
    private uint _serial;
    private int _count;
    private void* _work;
    private delegate*<void*, int, void> _execute;
    private Exception? _exception;

    // A cell for each thread's share of the pieces, the call's number (high half) and the next piece to take (low half) in one word, so
    // that a worker that was held up before it takes a piece finds the number changed, and takes nothing; in the last cell, the pieces
    // done. Cells lie apart, for a cache line that two cores write to travels between them at each turn.
    private readonly long[] _cells;

    private int _busy;
    private int _sleepers;
    private int _callerWaits;
    private volatile bool _started;
    private volatile bool _disposed;

    /// <summary>Creates a pool. Its threads start with the first call that needs them.</summary>
    /// <param name="threads">The number of threads that work on one call, the caller's included.</param>
    /// <param name="cancellationToken">Ends calls between two pieces, whatever algorithm it is that works on these threads.</param>
    public WorkerPool(int threads, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        Cancellation = cancellationToken;
        _workers = new Thread[threads - 1];
        _cells = new long[(threads + 2) * CellSpacing];
    }

    /// <summary>Gets the pool over every processor that this process may use. Lives as long as the process.</summary>
    public static WorkerPool Shared { get; } = new(Environment.ProcessorCount);

    /// <summary>Gets a pool of no other thread than the caller's.</summary>
    public static WorkerPool Caller { get; } = new(1);

    /// <summary>Gets the number of threads that work on one call, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>Gets what ends the calls, for the steps between them that take long on one thread.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>Executes every piece of the work and returns when all are done.</summary>
    /// <typeparam name="TWork">The kind of work.</typeparam>
    /// <param name="count">The number of pieces; they are shared out in runs of neighbours.</param>
    /// <param name="work">The work; every thread works on this one copy.</param>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <exception cref="OperationCanceledException">The pool's work was cancelled.</exception>
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
                Cancellation.ThrowIfCancellationRequested();
                work.Execute(index);
            }
        }
    }

    /// <summary>Gets where a share begins of what is divided as evenly as whole numbers allow, neighbours together.</summary>
    /// <param name="count">What is divided.</param>
    /// <param name="share">The share; for the number of shares, the result is <paramref name="count"/>.</param>
    /// <param name="shares">The number of shares.</param>
    public static int ShareStart(int count, int share, int shares) => (int)((long)count * share / shares);

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

        uint serial = Math.Max(1, Interlocked.Exchange(ref _serial, 0) + 1);
        var call = new Call(serial, count, Threads, work, execute);
        _count = count;
        _work = work;
        _execute = execute;
        _exception = null;
        for (int share = 0; share < call.Shares; share++)
        {
            Cell(share) = call.Ticket(call.ShareStart(share));
        }

        Done = 0;
        Interlocked.Exchange(ref _serial, call.Serial);

        WakeWorkers(count - 1);
        Execute(call, 0);
        AwaitTakenPieces(count);
        return _exception;
    }

    private ref long Cell(int index) => ref _cells[(index + 1) * CellSpacing];

    private ref long Done => ref Cell(Threads);

    /// <summary>Gets the call in progress; none while there never was one, or it changes.</summary>
    private bool TryGetCall(out Call call)
    {
        uint serial = Volatile.Read(ref _serial);
        call = new Call(serial, _count, Threads, _work, _execute);
        Volatile.ReadBarrier();
        return serial != 0 && Volatile.Read(ref _serial) == serial;
    }

    /// <summary>Executes pieces of a call until none is left to take: a thread's own, then others'.</summary>
    private void Execute(in Call call, int thread)
    {
        int executed = 0;
        for (int i = 0; i < call.Shares; i++)
        {
            executed += ExecuteShare(call, (thread + i) % call.Shares);
        }

        if (executed > 0 && Interlocked.Add(ref Done, executed) == call.Count && Interlocked.Exchange(ref _callerWaits, 0) == 1)
        {
            _finished.Release();
        }
    }

    /// <summary>Executes what is left of a share; returns the number of pieces.</summary>
    private int ExecuteShare(in Call call, int share)
    {
        ref long next = ref Cell(share);
        long end = call.Ticket(call.ShareStart(share + 1));
        int executed = 0;
        long ticket = Volatile.Read(ref next);
        while ((ulong)ticket >> 32 == call.Serial && ticket != end)
        {
            long seen = Interlocked.CompareExchange(ref next, ticket + 1, ticket);
            if (seen != ticket)
            {
                ticket = seen;
                continue;
            }

            // The call can't end, nor its work go, before this piece is counted as done.
            ExecutePiece(call, (int)ticket);
            executed++;
            ticket = Volatile.Read(ref next);
        }

        return executed;
    }

    /// <summary>Executes a piece, or skips it where another has failed.</summary>
    private void ExecutePiece(in Call call, int index)
    {
        if (Volatile.Read(ref _exception) is not null)
        {
            return;
        }

        try
        {
            Cancellation.ThrowIfCancellationRequested();
            call.Execute(call.Work, index);
        }
#pragma warning disable CA1031 // Handed to the caller of For
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref _exception, exception, null);
        }
    }

    private void AwaitTakenPieces(int count)
    {
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref Done) < count && Stopwatch.GetTimestamp() - start < EndSpinTicks)
        {
            Thread.SpinWait(8);
        }

        // A worker that lost its core just after the last piece may release the semaphore during a later call: hence the loop.
        while (Volatile.Read(ref Done) < count)
        {
            Interlocked.Exchange(ref _callerWaits, 1);
            if (Volatile.Read(ref Done) < count)
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
                int thread = i + 1;
                _workers[i] = new Thread(() => WorkerLoop(thread)) { IsBackground = true, Name = "Smile.ML worker" };
                _workers[i].UnsafeStart();
            }

            _started = true;
        }
    }

    private void WorkerLoop(int thread)
    {
        uint last = 0;
        while (!_disposed)
        {
            if (TryGetCall(out Call call) && call.Serial != last)
            {
                Execute(call, thread);
                last = call.Serial;
            }
            else if (!SpinForCall(last))
            {
                SleepUntilWoken(last);
            }
        }
    }

    private bool HasCall(uint last)
    {
        uint serial = Volatile.Read(ref _serial);
        return serial != 0 && serial != last;
    }

    private bool SpinForCall(uint last)
    {
        long start = Stopwatch.GetTimestamp();
        long end = start;
        while (!HasCall(last))
        {
            long now = Stopwatch.GetTimestamp();
            if (now - start < EndSpinTicks && Volatile.Read(ref Done) < _count)
            {
                end = now;
            }

            if (_disposed || now - end >= SpinTicks)
            {
                return false;
            }

            Thread.SpinWait(8);
        }

        return true;
    }

    /// <summary>
    /// A worker counts itself among the sleepers before it looks for a call a last time, and a caller numbers its call before it counts
    /// them, so one of the two sees the other. Who lowers the count owes, or is spared, one release of the semaphore.
    /// </summary>
    private void SleepUntilWoken(uint last)
    {
        Interlocked.Increment(ref _sleepers);
        bool stayAwake = HasCall(last) && TakeSleepers(1) == 1;
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

    /// <summary>A call: the work and how its pieces are shared out.</summary>
    private readonly struct Call(uint serial, int count, int threads, void* work, delegate*<void*, int, void> execute)
    {
        public uint Serial => serial;

        public int Count => count;

        public int Shares => Math.Min(count, threads);

        public void* Work => work;

        public delegate*<void*, int, void> Execute => execute;

        /// <summary>Gets the first piece of a share; of the share after the last, the number of pieces.</summary>
        public int ShareStart(int share) => WorkerPool.ShareStart(count, share, Shares);

        /// <summary>Gets what a share's cell holds while a piece is the next to take.</summary>
        public long Ticket(int piece) => ((long)serial << 32) | (uint)piece;
    }
}
