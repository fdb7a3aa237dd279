using System.Runtime.InteropServices;

namespace Smile.ML.Checkpoints;

/// <summary>Reads whole tensors of a source, and finds tensors by name.</summary>
public static class TensorSourceExtensions
{
    private const int ChunkLength = 1 << 16;

    /// <summary>Finds a tensor.</summary>
    /// <param name="source">Where to look.</param>
    /// <param name="name">The tensor's name.</param>
    /// <returns>What is known of it.</returns>
    /// <exception cref="SmileException">There is no such tensor.</exception>
    public static TensorInfo GetTensor(this ITensorSource source, string name)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(name);
        return source.Tensors.TryGetValue(name, out TensorInfo? tensor)
            ? tensor
            : throw new SmileException($"{source.Location}: there is no tensor {ErrorText.Quote(name)} among the {source.Tensors.Count} there are.");
    }

    /// <summary>Reads a whole floating-point tensor (F64, F32, F16 or BF16), widened or rounded to float32.</summary>
    /// <param name="source">Where the tensor is.</param>
    /// <param name="name">The tensor's name.</param>
    /// <returns>The elements in row-major order.</returns>
    /// <exception cref="SmileException">There is no such tensor, it is not of a floating-point type, or too large for an array.</exception>
    public static float[] ReadFloats(this ITensorSource source, string name)
    {
        TensorInfo tensor = source.GetTensor(name);
        source.RequireFloatingPoint(tensor);
        float[] values = new float[source.ArrayLength(tensor, tensor.ElementCount, "elements")];
        source.ReadFloats(name, 0, values);
        return values;
    }

    /// <summary>Reads a whole integer tensor (I64, I32, I16, I8, U8 or Bool).</summary>
    /// <param name="source">Where the tensor is.</param>
    /// <param name="name">The tensor's name.</param>
    /// <returns>The elements in row-major order; 0 and 1 for Bool.</returns>
    /// <exception cref="SmileException">
    /// There is no such tensor, it is of a floating-point type, too large for an array, or a Bool that is neither 0 nor 1.
    /// </exception>
    public static long[] ReadIntegers(this ITensorSource source, string name)
    {
        TensorInfo tensor = source.GetTensor(name);
        if (tensor.Type.IsFloatingPoint())
        {
            throw new SmileException($"{source.Location}: tensor {ErrorText.Quote(name)}: found {tensor.Description}; expected an integer type.");
        }

        long[] values = new long[source.ArrayLength(tensor, tensor.ElementCount, "elements")];
        int size = tensor.Type.Size();
        byte[] chunk = new byte[(int)Math.Min(ChunkLength, tensor.ByteLength)];
        for (int done = 0; done < values.Length; done += chunk.Length / size)
        {
            int count = Math.Min(chunk.Length / size, values.Length - done);
            Span<byte> bytes = chunk.AsSpan(0, count * size);
            source.ReadBytes(name, (long)done * size, bytes);
            Widen(tensor.Type, bytes, values.AsSpan(done, count));
        }

        int invalid = tensor.Type == TensorType.Bool ? values.AsSpan().IndexOfAnyExceptInRange(0, 1) : -1;
        return invalid < 0
            ? values
            : throw new SmileException($"{source.Location}: tensor {ErrorText.Quote(name)}: element {invalid} is {values[invalid]}; expected 0 or 1 in a BOOL tensor.");
    }

    /// <summary>Reads a whole tensor as stored: little-endian elements in row-major order.</summary>
    /// <param name="source">Where the tensor is.</param>
    /// <param name="name">The tensor's name.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="SmileException">There is no such tensor, or it is too large for an array.</exception>
    public static byte[] ReadBytes(this ITensorSource source, string name)
    {
        TensorInfo tensor = source.GetTensor(name);
        byte[] bytes = new byte[source.ArrayLength(tensor, tensor.ByteLength, "bytes")];
        source.ReadBytes(name, 0, bytes);
        return bytes;
    }

    /// <summary>Counts the floating-point values.</summary>
    internal static long CountParameters(this ITensorSource source)
        => source.Tensors.Values.Where(tensor => tensor.Type.IsFloatingPoint()).Sum(tensor => tensor.ElementCount);

    /// <summary>Reads bytes of float32 values that a source computes, as a file of them would hold them. A range may begin and end inside one.</summary>
    internal static void ReadComputedBytes(this ITensorSource source, string name, long start, Span<byte> destination)
    {
        if (start % sizeof(float) == 0 && destination.Length % sizeof(float) == 0)
        {
            source.ReadFloats(name, start / sizeof(float), MemoryMarshal.Cast<byte, float>(destination));
            return;
        }

        long first = start / sizeof(float);
        long end = (start + destination.Length + sizeof(float) - 1) / sizeof(float);
        var values = new float[end - first];
        source.ReadFloats(name, first, values);
        MemoryMarshal.AsBytes(values.AsSpan()).Slice((int)(start - (first * sizeof(float))), destination.Length).CopyTo(destination);
    }

    /// <summary>Refuses a tensor that is not of a floating-point type.</summary>
    internal static void RequireFloatingPoint(this ITensorSource source, TensorInfo tensor)
    {
        if (!tensor.Type.IsFloatingPoint())
        {
            throw new SmileException(
                $"{source.Location}: tensor {ErrorText.Quote(tensor.Name)}: found {tensor.Description}; expected a floating-point type (F64, F32, F16 or BF16).");
        }
    }

    /// <summary>Refuses a range that leaves the tensor.</summary>
    internal static void RequireRange(this ITensorSource source, TensorInfo tensor, string unit, long available, long start, int count)
    {
        if (start < 0 || start > available || count > available - start)
        {
            throw new SmileException(
                $"{source.Location}: tensor {ErrorText.Quote(tensor.Name)}: {count} {unit} from {start} on were asked for; {tensor.Description} has {available}.");
        }
    }

    private static int ArrayLength(this ITensorSource source, TensorInfo tensor, long count, string unit)
        => count <= Array.MaxLength
            ? (int)count
            : throw new SmileException(
                $"{source.Location}: tensor {ErrorText.Quote(tensor.Name)}: found {tensor.Description}; expected at most {Array.MaxLength} {unit} to be read at once.");

    private static void Widen(TensorType type, ReadOnlySpan<byte> source, Span<long> destination)
    {
        switch (type)
        {
            case TensorType.I64:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.I32:
                Widen<int>(source, destination);
                break;
            case TensorType.I16:
                Widen<short>(source, destination);
                break;
            case TensorType.I8:
                Widen<sbyte>(source, destination);
                break;
            default:
                Widen<byte>(source, destination);
                break;
        }
    }

    private static void Widen<T>(ReadOnlySpan<byte> source, Span<long> destination)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        ReadOnlySpan<T> elements = MemoryMarshal.Cast<byte, T>(source);
        for (int i = 0; i < elements.Length; i++)
        {
            destination[i] = long.CreateTruncating(elements[i]);
        }
    }
}
