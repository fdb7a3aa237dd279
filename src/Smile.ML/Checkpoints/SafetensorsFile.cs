using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A safetensors file: opening reads the header only, and values are read as they are asked for. Nothing that the
/// header says is believed unchecked. Safe to read from several threads at once; a read that races <see cref="Dispose"/> either
/// completes or throws <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed class SafetensorsFile : ITensorSource
{
    // What is decoded at a time stays in the cache between the two steps.
    private const int DecodeLength = 1 << 17;

    private const int MaxPart = 1 << 24;

    private readonly RandomAccessFile _file;
    private readonly SafetensorsHeader _header;
    private readonly long _dataStart;

    private SafetensorsFile(RandomAccessFile file, SafetensorsHeader header, long dataStart)
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

        RandomAccessFile file = RandomAccessFile.Open(path);
        try
        {
            int headerLength = ReadHeaderLength(file);
            long dataStart = SafetensorsHeader.PrefixLength + headerLength;
            byte[] json = new byte[headerLength];
            file.Read(SafetensorsHeader.PrefixLength, json);
            SafetensorsHeader header = SafetensorsHeader.Parse(json, file.Length - dataStart, path);
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
        if (tensor.Type == TensorType.F32)
        {
            ReadAsStored(offset, destination);
            return;
        }

        byte[] stored = ArrayPool<byte>.Shared.Rent(DecodeLength);
        try
        {
            while (!destination.IsEmpty)
            {
                int count = Math.Min(destination.Length, DecodeLength / size);
                Span<byte> bytes = stored.AsSpan(0, count * size);
                _file.Read(offset, bytes);
                FloatCodec.Decode(tensor.Type, bytes, destination[..count]);
                destination = destination[count..];
                offset += bytes.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The file is disposed.</exception>
    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        TensorInfo tensor = this.GetTensor(name);
        this.RequireRange(tensor, "bytes", tensor.ByteLength, start, destination.Length);

        _file.Read(_dataStart + _header.Offset(name) + start, destination);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void ReadAsStored(long offset, Span<float> destination)
    {
        // In parts: a span of bytes can't be as long as one of floats.
        for (; !destination.IsEmpty; offset += (long)MaxPart * sizeof(float))
        {
            Span<float> part = destination[..Math.Min(destination.Length, MaxPart)];
            _file.Read(offset, MemoryMarshal.AsBytes(part));
            destination = destination[part.Length..];
        }
    }

    private static int ReadHeaderLength(RandomAccessFile file)
    {
        if (file.Length < SafetensorsHeader.PrefixLength)
        {
            throw new SmileException(
                $"{file.Path}: found {file.Length} bytes; expected a safetensors file, which begins with the {SafetensorsHeader.PrefixLength}-byte length of its header.");
        }

        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixLength];
        file.Read(0, prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
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
