namespace Smile.ML.Compute.Cpu;

/// <summary>Operands of the kernels: C [rows, columns] (=|+=) A [rows, depth] B [depth, columns] (+ bias), all row-major.</summary>
internal readonly unsafe struct GemmTile
{
    /// <summary>Gets the rows of A and C.</summary>
    public required int Rows { get; init; }

    /// <summary>Gets the columns of C that are wanted; B may hold more, up to its stride.</summary>
    public required int Columns { get; init; }

    /// <summary>Gets the columns of A and rows of B.</summary>
    public required int Depth { get; init; }

    /// <summary>Gets the left-hand matrix.</summary>
    public required float* A { get; init; }

    /// <summary>Gets the floats from one row of A to the next.</summary>
    public required nint AStride { get; init; }

    /// <summary>Gets the right-hand matrix.</summary>
    public required float* B { get; init; }

    /// <summary>Gets the floats from one row of B to the next: the panel's width.</summary>
    public required nint BStride { get; init; }

    /// <summary>Gets the result.</summary>
    public required float* C { get; init; }

    /// <summary>Gets the floats from one row of C to the next.</summary>
    public required nint CStride { get; init; }

    /// <summary>Gets a row added to every row of C, or null.</summary>
    public required float* Bias { get; init; }

    /// <summary>Gets a value indicating whether to add to what C holds.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Gets the part of these operands that makes a part of C.</summary>
    /// <param name="row">The first row.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="column">The first column.</param>
    /// <param name="columns">The columns.</param>
    /// <returns>The part.</returns>
    public GemmTile Slice(int row, int rows, int column, int columns) => this with
    {
        Rows = rows,
        Columns = columns,
        A = A + row * AStride,
        B = B + column,
        C = C + row * CStride + column,
        Bias = Bias == null ? null : Bias + column,
    };

    /// <summary>Gets the same operands with the bare product going elsewhere: no bias, nothing accumulated.</summary>
    /// <param name="result">The other result.</param>
    /// <param name="stride">The floats from one row of it to the next.</param>
    /// <returns>The operands.</returns>
    public GemmTile Into(float* result, nint stride) => this with
    {
        C = result,
        CStride = stride,
        Bias = null,
        Accumulate = false,
    };
}
