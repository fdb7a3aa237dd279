namespace Smile.ML.Compute.Cpu;

/// <summary>Work in independent pieces, for <see cref="WorkerPool.For{TWork}"/>.</summary>
internal interface IParallelWork
{
    /// <summary>Does one piece. Called once per index, from any thread, several at a time, in no particular order.</summary>
    /// <param name="index">The piece: 0 up to the count given to <see cref="WorkerPool.For{TWork}"/>, exclusive.</param>
    void Execute(int index);
}
