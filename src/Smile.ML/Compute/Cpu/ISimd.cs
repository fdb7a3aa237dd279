namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The few vector operations that the kernels are made of, so that each kernel is written once for all vector widths. Multiplication
/// and addition are fused (one rounding) at every width, which makes results equal bit by bit across them.
/// </summary>
/// <typeparam name="TVector">The vector of floats.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Gets the floats in a vector.</summary>
    static abstract int Lanes { get; }

    /// <summary>Gets the rows of a full tile two vectors wide: as many as the registers hold accumulators for. 6 or 12.</summary>
    static abstract int TileRows { get; }

    /// <summary>Reads a vector.</summary>
    static abstract TVector Load(float* source);

    /// <summary>Reads a vector of bfloat16 and widens it.</summary>
    static abstract TVector LoadBFloat16(ushort* source);

    /// <summary>Reads a vector of finite float16 and widens it.</summary>
    static abstract TVector LoadFloat16(ushort* source);

    /// <summary>Writes a vector.</summary>
    static abstract void Store(TVector value, float* destination);

    /// <summary>Repeats one float in all lanes.</summary>
    static abstract TVector Broadcast(float value);

    /// <summary>Adds two vectors.</summary>
    static abstract TVector Add(TVector left, TVector right);

    /// <summary>Computes left * right + addend with one rounding.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);
}
