namespace Smile.ML.Checkpoints;

/// <summary>What is known of a tensor without reading its values.</summary>
/// <param name="Name">The tensor's name.</param>
/// <param name="Type">Its element type.</param>
/// <param name="Shape">Its dimensions, outermost first; empty for a scalar.</param>
public sealed record TensorInfo(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    /// <summary>Gets the number of elements: the product of the dimensions.</summary>
    /// <exception cref="OverflowException">The product does not fit 64 bits.</exception>
    public long ElementCount => Shape.Aggregate(1L, (product, dimension) => checked(product * dimension));

    /// <summary>Gets the number of bytes that the elements take.</summary>
    public long ByteLength => checked(ElementCount * Type.Size());

    /// <summary>Gets the type and shape as error messages show them, e.g. <c>F32 [768, 3072]</c>.</summary>
    public string Description => $"{Type} [{string.Join(", ", Shape)}]";
}
