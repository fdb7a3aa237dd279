using System.Buffers.Binary;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A safetensors file, memory-mapped: opening reads the header only, and values are read as they are asked for. Nothing that the
/// header says is believed unchecked. Safe to read from several threads at once; a read that races <see cref="Dispose"/> either
/// completes or throws <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed class SafetensorsFile : ITensorSource
{
    // Large enough that mapping costs nothing beside copying, small beside any model.
    private const int MaxWindowLength = 8 << 20;

    private readonly MappedFile _file;
    private readonly SafetensorsHeader _header;
    private readonly long _dataStart;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header, long dataStart)
    {
        _file = file;
        _header = header;
        _dataStart = dataStart;
    }

    /// <inheritdoc/>
    public string Location => _file.Path;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _header.Tensors;

    /// <summary>Gets the strings that the file's header holds under <c>__metadata__</c>; empty when there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file's path.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="SmileException">
    /// The file cannot be read, is not a safetensors file, or its header does not describe exactly the data that follows it.
    /// </exception>
    public static SafetensorsFile Open(string path)
    {
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("Checkpoints are read and written on little-endian machines only.");
        }

        MappedFile file = MappedFile.Open(path);
        try
        {
            int headerLength = ReadHeaderLength(file);
            long dataStart = SafetensorsHeader.PrefixLength + headerLength;
            using MappedWindow window = file.Map(0, (int)dataStart);
            SafetensorsHeader header = SafetensorsHeader.Parse(window.Bytes[SafetensorsHeader.PrefixLength..], file.Length - dataStart, path);
            return new SafetensorsFile(file, header, dataStart);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public void ReadFloats(string name, long start, Span<float> destination)
    {
        TensorInfo tensor = this.GetTensor(name);
        this.RequireFloatingPoint(tensor);
        this.RequireRange(tensor, "elements", tensor.ElementCount, start, destination.Length);

        int size = tensor.Type.Size();
        long offset = _dataStart + _header.Offset(name) + (start * size);
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, MaxWindowLength / size);
            using MappedWindow window = _file.Map(offset, count * size);
            FloatCodec.Decode(tensor.Type, window.Bytes, destination[..count]);
            destination = destination[count..];
            offset += count * size;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        TensorInfo tensor = this.GetTensor(name);
        this.RequireRange(tensor, "bytes", tensor.ByteLength, start, destination.Length);

        long offset = _dataStart + _header.Offset(name) + start;
        while (!destination.IsEmpty)
        {
            int count = Math.Min(destination.Length, MaxWindowLength);
            using MappedWindow window = _file.Map(offset, count);
            window.Bytes.CopyTo(destination);
            destination = destination[count..];
            offset += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static int ReadHeaderLength(MappedFile file)
    {
        if (file.Length < SafetensorsHeader.PrefixLength)
        {
            throw new SmileException(
                $"{file.Path}: found {file.Length} bytes; expected a safetensors file, which begins with the {SafetensorsHeader.PrefixLength}-byte length of its header.");
        }

        using MappedWindow prefix = file.Map(0, SafetensorsHeader.PrefixLength);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix.Bytes);
        if (length > SafetensorsHeader.MaxLength)
        {
            throw new SmileException(
                $"{file.Path}: the first 8 bytes give a header of {length} bytes; expected at most {SafetensorsHeader.MaxLength}. Is it a safetensors file?");
        }

        if ((long)length > file.Length - SafetensorsHeader.PrefixLength)
        {
            throw new SmileException(
                $"{file.Path}: the first 8 bytes give a header of {length} bytes, but only {file.Length - SafetensorsHeader.PrefixLength} follow: the file is truncated, or is not a safetensors file.");
        }

        return (int)length;
    }
}
