namespace Smile.ML.Compute.Cpu;

/// <summary>One product of <see cref="Gemm.Multiply(WorkerPool, int, float*, nint, ReadOnlySpan{GemmOutput})"/>.</summary>
internal readonly unsafe struct GemmOutput
{
    /// <summary>Describes one product: C = A B + bias, or C += A B + bias.</summary>
    /// <param name="weights">B [depth, columns].</param>
    /// <param name="result">C [rows, columns], row-major.</param>
    /// <param name="stride">The floats from one row of C to the next.</param>
    /// <param name="bias">A row of <c>columns</c> floats added to every row of C, or null.</param>
    /// <param name="accumulate">Whether to add to what C holds.</param>
    public GemmOutput(PackedMatrix weights, float* result, nint stride, float* bias = null, bool accumulate = false)
    {
        Weights = weights;
        Result = result;
        Stride = stride;
        Bias = bias;
        Accumulate = accumulate;
    }

    /// <summary>Gets B [depth, columns].</summary>
    public PackedMatrix Weights { get; init; }

    /// <summary>Gets C [rows, columns], row-major.</summary>
    public float* Result { get; init; }

    /// <summary>Gets the floats from one row of C to the next.</summary>
    public nint Stride { get; init; }

    /// <summary>Gets a row of floats added to every row of C, or null.</summary>
    public float* Bias { get; init; }

    /// <summary>Gets a value indicating whether the product is added to what C holds.</summary>
    public bool Accumulate { get; init; }

    /// <summary>Gets the row of A that each row of the product comes from, or null where that is its own number.</summary>
    public int* SourceRows { get; init; }

    /// <summary>Gets the row of C that each row of the product goes to, none twice; or null where that is its own number.</summary>
    public int* TargetRows { get; init; }

    /// <summary>Gets a factor for each row of the product: C += factor * (A B + bias); or null. <see cref="Accumulate"/> then means nothing.</summary>
    public float* RowScales { get; init; }
}
