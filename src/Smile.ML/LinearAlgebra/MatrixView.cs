namespace Smile.ML.LinearAlgebra;

/// <summary>Some consecutive rows of a row-major float32 matrix. Valid while the matrix that owns the memory is.</summary>
internal readonly unsafe struct MatrixView
{
    /// <summary>Describes rows in memory.</summary>
    /// <param name="pointer">The first element.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns; rows follow each other without a gap.</param>
    public MatrixView(float* pointer, int rows, int columns)
    {
        Pointer = pointer;
        Rows = rows;
        Columns = columns;
    }

    /// <summary>Gets the first element.</summary>
    public float* Pointer { get; }

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; }

    /// <summary>Gets the number of columns.</summary>
    public int Columns { get; }

    /// <summary>Gets one row.</summary>
    /// <param name="row">The row.</param>
    /// <returns>Its elements.</returns>
    public Span<float> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        return new Span<float>(Pointer + (long)row * Columns, Columns);
    }
}
