namespace Smile.ML.Checkpoints;

/// <summary>A tensor in memory, of float32 or of 64-bit integers: the inputs and outputs of a model.</summary>
public sealed class HostTensor
{
    private HostTensor(TensorType type, IReadOnlyList<long> shape, float[]? floats, long[]? integers)
    {
        Type = type;
        Shape = shape;
        Floats = floats;
        Integers = integers;
    }

    /// <summary>Gets the element type: <see cref="TensorType.F32"/> or <see cref="TensorType.I64"/>.</summary>
    public TensorType Type { get; }

    /// <summary>Gets the dimensions, outermost first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Gets the elements in row-major order; null when the type is not F32.</summary>
    public float[]? Floats { get; }

    /// <summary>Gets the elements in row-major order; null when the type is not I64.</summary>
    public long[]? Integers { get; }

    /// <summary>Makes a float32 tensor over an array, which is not copied.</summary>
    /// <param name="shape">The dimensions, outermost first.</param>
    /// <param name="values">The elements in row-major order.</param>
    /// <returns>The tensor.</returns>
    /// <exception cref="ArgumentException">The shape does not have as many elements as the array.</exception>
    public static HostTensor FromFloats(IReadOnlyList<long> shape, float[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return new HostTensor(TensorType.F32, Checked(shape, values.Length), values, null);
    }

    /// <summary>Makes a tensor of 64-bit integers over an array, which is not copied.</summary>
    /// <param name="shape">The dimensions, outermost first.</param>
    /// <param name="values">The elements in row-major order.</param>
    /// <returns>The tensor.</returns>
    /// <exception cref="ArgumentException">The shape does not have as many elements as the array.</exception>
    public static HostTensor FromIntegers(IReadOnlyList<long> shape, long[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return new HostTensor(TensorType.I64, Checked(shape, values.Length), null, values);
    }

    private static long[] Checked(IReadOnlyList<long> shape, int count)
    {
        ArgumentNullException.ThrowIfNull(shape);
        long[] dimensions = [.. shape];
        return dimensions.All(dimension => dimension >= 0) && dimensions.Aggregate(1L, (product, dimension) => checked(product * dimension)) == count
            ? dimensions
            : throw new ArgumentException($"[{string.Join(", ", dimensions)}] is not the shape of {count} elements.", nameof(shape));
    }
}
