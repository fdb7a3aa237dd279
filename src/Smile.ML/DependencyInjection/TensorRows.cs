using Smile.ML.Checkpoints;

namespace Smile.ML.DependencyInjection;

/// <summary>Puts the rows of several tensors together, and takes them apart again.</summary>
internal static class TensorRows
{
    /// <summary>Concatenates tensors of one type, and of one shape after the batch dimension.</summary>
    public static HostTensor Concatenate(IReadOnlyList<HostTensor> parts)
    {
        long[] shape = [parts.Sum(part => part.Shape[0]), .. parts[0].Shape.Skip(1)];
        return parts[0].Type == TensorType.F32
            ? HostTensor.FromFloats(shape, Join(parts.Select(part => part.Floats!)))
            : HostTensor.FromIntegers(shape, Join(parts.Select(part => part.Integers!)));
    }

    /// <summary>Copies consecutive rows.</summary>
    public static HostTensor Slice(HostTensor tensor, int start, int count)
    {
        long[] shape = [count, .. tensor.Shape.Skip(1)];
        int width = checked((int)shape.Skip(1).Aggregate(1L, (product, dimension) => product * dimension));
        Range rows = (start * width)..((start + count) * width);
        return tensor.Type == TensorType.F32
            ? HostTensor.FromFloats(shape, tensor.Floats![rows])
            : HostTensor.FromIntegers(shape, tensor.Integers![rows]);
    }

    private static T[] Join<T>(IEnumerable<T[]> parts)
    {
        T[][] arrays = [.. parts];
        var joined = new T[arrays.Sum(array => array.Length)];
        int start = 0;
        foreach (T[] array in arrays)
        {
            array.CopyTo(joined, start);
            start += array.Length;
        }

        return joined;
    }
}
