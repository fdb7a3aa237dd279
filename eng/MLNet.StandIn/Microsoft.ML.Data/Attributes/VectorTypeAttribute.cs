namespace Microsoft.ML.Data;

[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class VectorTypeAttribute : Attribute
{
    /// <summary>A vector of unknown size.</summary>
    public VectorTypeAttribute()
    {
    }

    public VectorTypeAttribute(int size)
        : this([size])
    {
    }

    public VectorTypeAttribute(params int[] dimensions)
    {
        if (dimensions.Any(dimension => dimension < 0))
        {
            throw new ArgumentOutOfRangeException(nameof(dimensions), "A dimension is 0 (unknown) or positive.");
        }
        Dims = dimensions;
    }

    internal int[] Dims { get; }
}
