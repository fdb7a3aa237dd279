namespace Smile.ML.Compute.Cpu;

/// <summary>An operation that computes each row of a result by itself.</summary>
internal interface IRowOperation
{
    /// <summary>Computes the rows from <paramref name="start"/> up to, not including, <paramref name="end"/>.</summary>
    void Execute(int start, int end);
}
