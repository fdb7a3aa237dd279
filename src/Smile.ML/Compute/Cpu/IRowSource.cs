namespace Smile.ML.Compute.Cpu;

/// <summary>Reads the rows of a matrix as float32, whatever they are stored as.</summary>
internal interface IRowSource
{
    /// <summary>Reads consecutive rows. May be called from several threads at once.</summary>
    /// <param name="first">The first row.</param>
    /// <param name="destination">Receives the rows, one after another; its length says how many are read.</param>
    void ReadRows(int first, Span<float> destination);
}
