namespace Smile.ML.Compute.Cpu;

/// <summary>
/// How the elements of a <see cref="PackedMatrix"/> lie in memory. Every format widens to float32 exactly, so a product does not depend on
/// it; the 16-bit ones halve the memory that it has to read.
/// </summary>
internal unsafe interface IWeightFormat
{
    /// <summary>Gets the bytes of an element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Tells whether the format can hold all of the values without rounding.</summary>
    static abstract bool Holds(ReadOnlySpan<float> values);

    /// <summary>Writes an element that the format can hold.</summary>
    static abstract void Store(float value, byte* destination);

    /// <summary>Reads a vector.</summary>
    static abstract TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}
