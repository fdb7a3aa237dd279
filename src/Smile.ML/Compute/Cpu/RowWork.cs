namespace Smile.ML.Compute.Cpu;

/// <summary>Runs an operation over all rows of a result, in blocks when that pays for waking a thread.</summary>
internal static class RowWork
{
    private const long ElementsWorthAThread = 16384;

    /// <summary>Runs <paramref name="operation"/> over blocks of rows that together cover all rows.</summary>
    public static void Run<TOperation>(WorkerPool pool, int rows, long elementsPerRow, in TOperation operation)
        where TOperation : struct, IRowOperation
    {
        long blocks = Math.Min(Math.Min(rows, (rows * elementsPerRow / ElementsWorthAThread) + 1), pool.Threads * 4L);
        var work = new Blocks<TOperation>(operation, rows, Math.Max(1, (int)blocks));
        pool.For(work.Count, ref work);
    }

    private readonly struct Blocks<TOperation>(TOperation operation, int rows, int count) : IParallelWork
        where TOperation : struct, IRowOperation
    {
        public int Count => count;

        public void Execute(int index)
            => operation.Execute(WorkerPool.ShareStart(rows, index, count), WorkerPool.ShareStart(rows, index + 1, count));
    }
}
