namespace Microsoft.ML.Data;

/// <summary>Fills a <see cref="VBuffer{T}"/> in place, reusing its arrays when they are large enough.</summary>
public static class VBufferEditor
{
    /// <summary>Edits the values that the buffer has.</summary>
    public static VBufferEditor<T> CreateFromBuffer<T>(scoped ref VBuffer<T> destination) => destination.Edit();

    /// <summary>Edits a vector of a new length; dense unless <paramref name="valuesCount"/> is smaller than that.</summary>
    public static VBufferEditor<T> Create<T>(
        scoped ref VBuffer<T> destination,
        int newLogicalLength,
        int? valuesCount = null,
        int? maxValuesCapacity = null,
        bool keepOldOnResize = false,
        bool requireIndicesOnDense = false)
        => destination.Edit(newLogicalLength, valuesCount, maxValuesCapacity, keepOldOnResize, requireIndicesOnDense);
}
