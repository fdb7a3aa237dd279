namespace Smile.ML.Checkpoints;

/// <summary>What is known of a tensor without reading its values. Two are equal when name, type and every dimension are.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its dimensions, outermost first; empty for a scalar.</param>
public sealed record TensorInfo(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    /// <summary>Gets the number of elements: the product of the dimensions.</summary>
    /// <exception cref="OverflowException">The product does not fit 64 bits.</exception>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));

    /// <summary>Gets the number of bytes that the elements take.</summary>
    /// <exception cref="OverflowException">The number does not fit 64 bits.</exception>
    public long ByteLength => checked(ElementCount * Type.Size());

    /// <summary>Gets the type and shape as error messages show them, e.g. <c>F32 [768, 3072]</c>.</summary>
    public string Description => $"{Type.DtypeName()} [{string.Join(", ", Shape)}]";

    /// <inheritdoc/>
    public bool Equals(TensorInfo? other)
        => other is not null && Name == other.Name && Type == other.Type && Shape.SequenceEqual(other.Shape);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Name);
        hash.Add(Type);
        foreach (long dimension in Shape)
        {
            hash.Add(dimension);
        }

        return hash.ToHashCode();
    }
}
