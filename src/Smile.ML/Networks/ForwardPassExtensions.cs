using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Brings inputs to the backend and outputs back.</summary>
internal static class ForwardPassExtensions
{
    /// <summary>Copies a host tensor of float values into a matrix with the given number of columns.</summary>
    public static Tensor Upload(this ForwardPass pass, HostTensor values, int columns)
    {
        ReadOnlySpan<float> floats = values.Floats!;
        Tensor tensor = pass.Backend.Rent(floats.Length / columns, columns);
        pass.Backend.Upload(floats, tensor);
        return tensor;
    }

    /// <summary>Copies a matrix into a host tensor of the given shape.</summary>
    public static HostTensor Download(this ForwardPass pass, Tensor tensor, params ReadOnlySpan<long> shape)
    {
        var values = new float[tensor.Length];
        pass.Backend.Download(tensor, values);
        return HostTensor.FromFloats(shape.ToArray(), values);
    }

    /// <summary>Copies rows of a matrix into a new one.</summary>
    public static Tensor Gather(this ForwardPass pass, Tensor source, ReadOnlySpan<int> rows)
    {
        Tensor result = pass.Backend.Rent(rows.Length, source.Columns);
        pass.Backend.GatherRows(source, rows, result);
        return result;
    }
}
