using Microsoft.VisualStudio.TestTools.UnitTesting;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Tests.Compute.Cpu;

[TestClass]
public class WorkerPoolTests
{
    [TestMethod]
    [DataRow(1, 0)]
    [DataRow(1, 10)]
    [DataRow(2, 1)]
    [DataRow(3, 2)]
    [DataRow(5, 1000)]
    public void EveryPieceRunsOnce(int threads, int count)
    {
        using var pool = new WorkerPool(threads);
        for (int repeat = 0; repeat < 200; repeat++)
        {
            var work = new Counting(new int[count]);
            pool.For(count, ref work);
            Assert.IsTrue(work.Counts.All(times => times == 1));
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void ACancelledPoolEndsBetweenPieces(int threads)
    {
        using var source = new CancellationTokenSource();
        using var pool = new WorkerPool(threads, source.Token);
        var work = new Cancelling(source, new int[10_000]);
        Assert.ThrowsExactly<OperationCanceledException>(() => pool.For(work.Counts.Length, ref work));
        Assert.IsLessThan(100, work.Counts.Sum());
        Assert.ThrowsExactly<OperationCanceledException>(() => pool.For(1, ref work));
    }

    [TestMethod]
    public void ManyCallersAndNestedCallsShareAPool()
    {
        using var pool = new WorkerPool(4);
        var callers = new Thread[8];
        int failures = 0;
        for (int i = 0; i < callers.Length; i++)
        {
            callers[i] = new Thread(() =>
            {
                for (int repeat = 0; repeat < 300; repeat++)
                {
                    var work = new Nesting(pool, new int[12], 7);
                    pool.For(work.Counts.Length, ref work);
                    if (work.Counts.Any(times => times != 7))
                    {
                        Interlocked.Increment(ref failures);
                    }
                }
            });
            callers[i].Start();
        }

        foreach (Thread caller in callers)
        {
            caller.Join();
        }

        Assert.AreEqual(0, failures);
    }

    [TestMethod]
    public void SleepingWorkersWakeUp()
    {
        using var pool = new WorkerPool(2);
        for (int repeat = 0; repeat < 5; repeat++)
        {
            Thread.Sleep(20);
            // Each of the two pieces waits for the other, so they end only if two threads take part.
            using var barrier = new Barrier(2);
            var work = new Meeting(barrier);
            pool.For(2, ref work);
        }
    }

    [TestMethod]
    public void AThreadMeetsItsOwnPiecesInEveryCall()
    {
        using var pool = new WorkerPool(2);
        var threads = new Thread?[4];
        for (int repeat = 0; repeat < 100; repeat++)
        {
            // Both threads have their first piece, then their second.
            using var barrier = new Barrier(2);
            var work = new Recording(barrier, new Thread?[4]);
            pool.For(4, ref work);
            CollectionAssert.AllItemsAreNotNull(work.Threads);
            CollectionAssert.AreEqual(repeat == 0 ? threads = work.Threads : threads, work.Threads);
        }

        Assert.AreEqual(Thread.CurrentThread, threads[0]);
        Assert.AreEqual(threads[0], threads[1]);
        Assert.AreEqual(threads[2], threads[3]);
        Assert.AreNotEqual(threads[0], threads[2]);
    }

    [TestMethod]
    public void AThreadThatIsDoneHelpsTheOthers()
    {
        using var pool = new WorkerPool(2);
        using var rest = new CountdownEvent(9);
        var work = new WaitingInTheFirst(rest);
        pool.For(10, ref work);
        Assert.IsTrue(rest.IsSet);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void AnExceptionReachesTheCallerAndThePoolSurvives(int threads)
    {
        using var pool = new WorkerPool(threads);
        for (int repeat = 0; repeat < 50; repeat++)
        {
            var failing = new Failing(repeat % 20);
            InvalidOperationException exception =
                Assert.ThrowsExactly<InvalidOperationException>(() => pool.For(20, ref failing));
            Assert.AreEqual($"piece {repeat % 20}", exception.Message);

            var work = new Counting(new int[50]);
            pool.For(50, ref work);
            Assert.IsTrue(work.Counts.All(times => times == 1));
        }
    }

    [TestMethod]
    public void NoPieceRunsAfterAFailedCallHasReturned()
    {
        using var pool = new WorkerPool(4);
        for (int repeat = 0; repeat < 200; repeat++)
        {
            var work = new FailingWhileOthersRun(new int[2]);
            Assert.ThrowsExactly<InvalidOperationException>(() => pool.For(64, ref work));
            Assert.AreEqual(work.State[0], work.State[1], "A piece was still running.");
        }
    }

    [TestMethod]
    public void AWarmCallAllocatesNothing()
    {
        using var pool = new WorkerPool(3);
        var work = new Counting(new int[64]);
        for (int repeat = 0; repeat < 100; repeat++)
        {
            pool.For(64, ref work);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int repeat = 0; repeat < 100; repeat++)
        {
            pool.For(64, ref work);
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void DisposeEndsTheThreads()
    {
        var seen = new HashSet<Thread>();
        var pool = new WorkerPool(2);
        using (var barrier = new Barrier(2))
        {
            var work = new Meeting(barrier, seen);
            pool.For(2, ref work);
        }

        pool.Dispose();
        pool.Dispose();
        Assert.HasCount(2, seen);
        Assert.IsTrue(seen.All(thread => thread == Thread.CurrentThread || !thread.IsAlive));
        Assert.ThrowsExactly<ObjectDisposedException>(() =>
        {
            var work = new Counting(new int[1]);
            pool.For(1, ref work);
        });
    }

    private readonly struct Counting(int[] counts) : IParallelWork
    {
        public int[] Counts { get; } = counts;

        public void Execute(int index) => Interlocked.Increment(ref Counts[index]);
    }

    /// <summary>Asks for the end in its first piece; the others take their time.</summary>
    private readonly struct Cancelling(CancellationTokenSource source, int[] counts) : IParallelWork
    {
        public int[] Counts { get; } = counts;

        public void Execute(int index)
        {
            Counts[index]++;
            source.Cancel();
            Thread.Sleep(1);
        }
    }

    private readonly struct Nesting(WorkerPool pool, int[] counts, int inner) : IParallelWork
    {
        public int[] Counts { get; } = counts;

        public void Execute(int index)
        {
            var work = new IncrementingOne(Counts, index);
            pool.For(inner, ref work);
        }
    }

    private readonly struct IncrementingOne(int[] counts, int place) : IParallelWork
    {
        public void Execute(int index) => Interlocked.Increment(ref counts[place]);
    }

    private readonly struct Meeting(Barrier barrier, HashSet<Thread>? seen = null) : IParallelWork
    {
        public void Execute(int index)
        {
            if (!barrier.SignalAndWait(TimeSpan.FromMinutes(1)))
            {
                throw new TimeoutException("The other piece never ran.");
            }

            if (seen is not null)
            {
                lock (seen)
                {
                    seen.Add(Thread.CurrentThread);
                }
            }
        }
    }

    private readonly struct Recording(Barrier barrier, Thread?[] threads) : IParallelWork
    {
        public Thread?[] Threads { get; } = threads;

        public void Execute(int index)
        {
            Threads[index] = Thread.CurrentThread;
            Assert.IsTrue(barrier.SignalAndWait(TimeSpan.FromMinutes(1)));
        }
    }

    /// <summary>The first piece ends when all others have: the caller's own among them.</summary>
    private readonly struct WaitingInTheFirst(CountdownEvent rest) : IParallelWork
    {
        public void Execute(int index)
        {
            if (index > 0)
            {
                rest.Signal();
            }
            else if (!rest.Wait(TimeSpan.FromMinutes(1)))
            {
                throw new TimeoutException("The caller's other pieces waited for the caller.");
            }
        }
    }

    private readonly struct Failing(int place) : IParallelWork
    {
        public void Execute(int index)
        {
            if (index == place)
            {
                throw new InvalidOperationException($"piece {index}");
            }
        }
    }

    /// <summary>Counts the pieces begun and the pieces ended.</summary>
    private readonly struct FailingWhileOthersRun(int[] state) : IParallelWork
    {
        public int[] State { get; } = state;

        public void Execute(int index)
        {
            Interlocked.Increment(ref State[0]);
            Thread.SpinWait(200);
            Interlocked.Increment(ref State[1]);
            if (index == 3)
            {
                throw new InvalidOperationException();
            }
        }
    }
}
