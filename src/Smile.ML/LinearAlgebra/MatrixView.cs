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

    /// <summary>Gets the first rows.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The rows.</returns>
    public MatrixView Leading(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)Rows, nameof(count));
        return new MatrixView(Pointer, count, Columns);
    }

    /// <summary>Copies the rows.</summary>
    /// <param name="destination">Receives them; of the same shape.</param>
    public void CopyTo(MatrixView destination)
    {
        for (int row = 0; row < Rows; row++)
        {
            Row(row).CopyTo(destination.Row(row));
        }
    }

    /// <summary>Sums the squares of the elements, in float64.</summary>
    /// <returns>The squared Frobenius norm.</returns>
    public double Energy()
    {
        double energy = 0;
        for (int row = 0; row < Rows; row++)
        {
            energy += VectorAlgebra.SumOfSquares(Row(row));
        }

        return energy;
    }
}
