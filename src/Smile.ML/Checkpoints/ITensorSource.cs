namespace Smile.ML.Checkpoints;

/// <summary>
/// Named tensors that are read on demand: a safetensors file, a Hugging Face folder, or tensors computed from others as they are
/// asked for. Reading is safe from several threads at once.
/// </summary>
public interface ITensorSource : IDisposable
{
    /// <summary>Gets what error messages call this source, usually its path.</summary>
    string Location { get; }

    /// <summary>Gets the tensors by name.</summary>
    IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>
    /// Reads consecutive elements of a floating-point tensor (F64, F32, F16 or BF16), widened or rounded to float32.
    /// </summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="start">Index of the first element in row-major order.</param>
    /// <param name="destination">Receives the elements from <paramref name="start"/> on; its length is how many are read.</param>
    /// <exception cref="SmileException">There is no such tensor, it is not of a floating-point type, or the range leaves it.</exception>
    void ReadFloats(string name, long start, Span<float> destination);

    /// <summary>Reads consecutive bytes of a tensor as stored: little-endian elements in row-major order.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="start">Index of the first byte.</param>
    /// <param name="destination">Receives the bytes; its length is how many are read.</param>
    /// <exception cref="SmileException">There is no such tensor, or the range leaves it.</exception>
    void ReadBytes(string name, long start, Span<byte> destination);
}
