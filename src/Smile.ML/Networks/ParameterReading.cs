using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Reads tensors of expected shapes.</summary>
internal static class ParameterReading
{
    /// <summary>Gets a tensor's description after checking it.</summary>
    /// <exception cref="SmileException">It is missing, of another shape, or not of a floating-point type.</exception>
    public static TensorInfo Require(this ITensorSource source, string name, params ReadOnlySpan<int> shape)
    {
        string expected = $"floating-point [{string.Join(", ", shape.ToArray())}]";
        if (!source.Tensors.TryGetValue(name, out TensorInfo? tensor))
        {
            throw new SmileException($"{source.Location}: tensor {name} is missing; expected {expected}.");
        }

        bool same = tensor.Shape.Count == shape.Length && tensor.Type.IsFloatingPoint();
        for (int i = 0; same && i < shape.Length; i++)
        {
            same = tensor.Shape[i] == shape[i];
        }

        return same ? tensor : throw new SmileException($"{source.Location}: tensor {name} is {tensor.Description}; expected {expected}.");
    }

    /// <summary>Reads a whole vector.</summary>
    public static float[] ReadVector(this ITensorSource source, string name, int length)
    {
        source.Require(name, length);
        var values = new float[length];
        source.ReadFloats(name, 0, values);
        return values;
    }

    /// <summary>Reads rows of a matrix, or of a tensor taken as [first dimension, the others].</summary>
    public static RowReader Rows(this ITensorSource source, string name, int columns)
        => (row, destination) => source.ReadFloats(name, (long)row * columns, destination);
}
