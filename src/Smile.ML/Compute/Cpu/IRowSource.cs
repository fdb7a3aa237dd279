namespace Smile.ML.Compute.Cpu;

/// <summary>Reads the rows of a matrix as float32, whatever they are stored as.</summary>
internal interface IRowSource
{
    /// <summary>Reads one row. May be called from several threads at once.</summary>
    /// <param name="row">The row.</param>
    /// <param name="destination">Receives the row; as long as a row is.</param>
    void ReadRow(int row, Span<float> destination);
}
