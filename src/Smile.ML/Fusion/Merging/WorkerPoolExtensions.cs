using Smile.ML.Compute.Cpu;

namespace Smile.ML.Fusion.Merging;

/// <summary>Parallel loops over delegates, for work in which an allocation does not count.</summary>
internal static class WorkerPoolExtensions
{
    /// <summary>Calls an action for every index from 0 on, on all threads, in no particular order.</summary>
    public static void For(this WorkerPool threads, int count, Action<int> action)
    {
        var work = new ActionWork(action);
        threads.For(count, ref work);
    }

    private readonly struct ActionWork(Action<int> action) : IParallelWork
    {
        public void Execute(int index) => action(index);
    }
}
