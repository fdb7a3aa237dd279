namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The few vector operations that the kernels are made of, so that each kernel is written once for all vector widths. Multiplication
/// and addition are fused (one rounding) at every width, which makes results equal bit by bit across them.
/// </summary>
/// <typeparam name="TVector">The vector of floats.</typeparam>
internal unsafe interface ISimd<TVector> : IVectorOperations<TVector, float>
    where TVector : struct
{
    /// <summary>Gets the rows of a full tile two vectors wide: as many as the registers hold accumulators for. 6 or 12.</summary>
    static abstract int TileRows { get; }

    /// <summary>Reads a vector of bfloat16 and widens it.</summary>
    static abstract TVector LoadBFloat16(ushort* source);

    /// <summary>Reads a vector of finite float16 and widens it.</summary>
    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Subtracts two vectors.</summary>
    static abstract TVector Subtract(TVector left, TVector right);

    /// <summary>Multiplies two vectors.</summary>
    static abstract TVector Multiply(TVector left, TVector right);

    /// <summary>Divides two vectors.</summary>
    static abstract TVector Divide(TVector left, TVector right);

    /// <summary>Takes the smaller of each pair, or NaN.</summary>
    static abstract TVector Min(TVector left, TVector right);

    /// <summary>Takes the larger of each pair, or NaN.</summary>
    static abstract TVector Max(TVector left, TVector right);

    /// <summary>Rounds down to whole numbers.</summary>
    static abstract TVector Floor(TVector value);

    /// <summary>Takes off the signs.</summary>
    static abstract TVector Abs(TVector value);

    /// <summary>Gives magnitudes the signs of others.</summary>
    static abstract TVector CopySign(TVector magnitude, TVector sign);

    /// <summary>Chooses by left &lt; right, which no NaN fulfils.</summary>
    static abstract TVector WhereLess(TVector left, TVector right, TVector then, TVector otherwise);

    /// <summary>Puts NaN where a condition is NaN.</summary>
    static abstract TVector WhereNumber(TVector condition, TVector then);

    /// <summary>Computes 2^n for whole numbers from -126 to 127.</summary>
    static abstract TVector PowerOfTwo(TVector n);
}
