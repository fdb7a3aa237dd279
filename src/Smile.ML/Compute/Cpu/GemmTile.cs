namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Operands of the kernels: C [rows, columns] (=|+=) A [rows, depth] B [depth, columns] (+ bias), all row-major; or, with scales, some
/// other rows of C += scale * (A B + bias).
/// </summary>
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

    /// <summary>Gets the right-hand matrix, in the kernels' format.</summary>
    public required byte* B { get; init; }

    /// <summary>Gets the elements from one row of B to the next: the panel's width.</summary>
    public required nint BStride { get; init; }

    /// <summary>Gets the elements from one panel of B to the next.</summary>
    public required nint PanelStride { get; init; }

    /// <summary>Gets the result.</summary>
    public required float* C { get; init; }

    /// <summary>Gets the floats from one row of C to the next.</summary>
    public required nint CStride { get; init; }

    /// <summary>Gets a row added to every row of C, or null.</summary>
    public required float* Bias { get; init; }

    /// <summary>Gets a value indicating whether to add to what C holds.</summary>
    public required bool Accumulate { get; init; }

    /// <summary>Gets the row of A that each row of the product comes from, or null where that is its own number.</summary>
    public int* SourceRows { get; init; }

    /// <summary>Gets the row of C that each row of the product goes to, or null where that is its own number.</summary>
    public int* TargetRows { get; init; }

    /// <summary>Gets a factor for each row, with which it is added to what C holds; or null.</summary>
    public float* RowScales { get; init; }

    /// <summary>Gets the start of what a row of the product comes from.</summary>
    public float* SourceRow(int row) => A + (SourceRows == null ? row : SourceRows[row]) * AStride;

    /// <summary>Gets the start of what a row of the product goes to.</summary>
    public float* TargetRow(int row) => C + (TargetRows == null ? row : TargetRows[row]) * CStride;
}
