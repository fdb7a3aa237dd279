namespace Smile.ML.Compute.Cpu;

/// <summary>What a matrix product takes of vectors of floating-point numbers.</summary>
/// <typeparam name="TVector">The vector.</typeparam>
/// <typeparam name="TElement">float or double.</typeparam>
internal unsafe interface IVectorOperations<TVector, TElement>
    where TVector : struct
    where TElement : unmanaged
{
    /// <summary>Gets the elements in a vector.</summary>
    static abstract int Lanes { get; }

    /// <summary>Reads a vector.</summary>
    static abstract TVector Load(TElement* source);

    /// <summary>Writes a vector.</summary>
    static abstract void Store(TVector value, TElement* destination);

    /// <summary>Repeats one element in all lanes.</summary>
    static abstract TVector Broadcast(TElement value);

    /// <summary>Adds two vectors.</summary>
    static abstract TVector Add(TVector left, TVector right);

    /// <summary>Computes left * right + addend with one rounding.</summary>
    static abstract TVector MultiplyAdd(TVector left, TVector right, TVector addend);
}
