using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace Smile.ML.Checkpoints;

/// <summary>
/// Streams tensors into one safetensors file. The header comes first in the file but is known last, so room for it is reserved from
/// an upper bound and what is left is padded with spaces. Not safe to use from several threads at once. Until <see cref="Finish"/>
/// the file is not valid; it is for the caller to write under a temporary name.
/// </summary>
internal sealed class SafetensorsWriter : IDisposable
{
    private const int BufferLength = 1 << 18;
    private const int Alignment = 8;

    // Sent to the disk as the file grows, so that the end need not wait for all of it.
    private const long FlushedAtOnce = 32 << 20;

    // What Hugging Face's own loaders ask a file for before they read it.
    private static readonly byte[] HeaderStart = [.. "{\""u8, .. "__metadata__"u8, .. "\":{\"format\":\"pt\"}"u8];

    private readonly string _path;
    private readonly string _location;
    private readonly SafeFileHandle _file;
    private readonly long _dataStart;
    private readonly ArrayBufferWriter<byte> _header = new();
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly byte[] _buffer = new byte[BufferLength];
    private long _remaining;
    private long _unflushed;

    /// <summary>Creates the file, or empties the one there is.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="headerCapacity">The most bytes that the header will take; see <see cref="HeaderBound"/>.</param>
    /// <param name="location">What messages about values call the output: its final name, where the file has a temporary one.</param>
    /// <exception cref="SmileException">The file cannot be written, or the header would be longer than the format allows.</exception>
    public SafetensorsWriter(string path, long headerCapacity, string? location = null)
    {
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("Checkpoints are read and written on little-endian machines only.");
        }

        if (headerCapacity > SafetensorsHeader.MaxLength)
        {
            throw new SmileException(
                $"{path}: the header would take {headerCapacity} bytes; safetensors allows {SafetensorsHeader.MaxLength}. Write fewer tensors to one file.");
        }

        _path = path;
        _location = location ?? path;
        _dataStart = (SafetensorsHeader.PrefixLength + headerCapacity + Alignment - 1) / Alignment * Alignment;
        _header.Write(HeaderStart);
        try
        {
            _file = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.None);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be written", e);
        }
    }

    /// <summary>Gets the bytes of the tensors begun so far.</summary>
    public long DataLength { get; private set; }

    /// <summary>Gets the most bytes that the header of a file with some of these tensors, or smaller ones of these names, takes.</summary>
    public static long HeaderBound(IEnumerable<TensorInfo> tensors)
    {
        TensorInfo[] all = [.. tensors];
        long dataLength = all.Sum(tensor => tensor.ByteLength);
        return HeaderStart.Length + 1 + all.Sum(tensor => (long)Entry(tensor, dataLength, dataLength).Length);
    }

    /// <summary>Tells whether the header has room for one more tensor.</summary>
    public bool HasRoomFor(TensorInfo tensor)
        => SafetensorsHeader.PrefixLength + _header.WrittenCount + Entry(tensor, DataLength, DataLength + tensor.ByteLength).Length + 1 <= _dataStart;

    /// <summary>Begins a tensor; exactly its bytes must follow through <see cref="Write"/>.</summary>
    public void BeginTensor(TensorInfo tensor)
    {
        if (_remaining != 0)
        {
            throw new InvalidOperationException($"{_remaining} bytes of the tensor before {ErrorText.Quote(tensor.Name)} are still to be written.");
        }

        if (!HasRoomFor(tensor))
        {
            throw new InvalidOperationException($"The room reserved for the header does not suffice for {ErrorText.Quote(tensor.Name)}.");
        }

        if (tensor.Name == SafetensorsHeader.MetadataKey || !_names.Add(tensor.Name))
        {
            throw new ArgumentException($"The name {ErrorText.Quote(tensor.Name)} is reserved, or written already.", nameof(tensor));
        }

        _remaining = tensor.ByteLength;
        _header.Write(Entry(tensor, DataLength, DataLength + _remaining));
        DataLength += _remaining;
    }

    /// <summary>Writes the next bytes of the tensor that was begun.</summary>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > _remaining)
        {
            throw new InvalidOperationException($"{bytes.Length} bytes follow where the tensor has only {_remaining} left.");
        }

        WriteAt(_dataStart + DataLength - _remaining, bytes);
        _remaining -= bytes.Length;
    }

    /// <summary>Writes a tensor, rounding the values to its type.</summary>
    /// <exception cref="SmileException">A finite value is too large for the type, or the file cannot be written.</exception>
    public void WriteFloats(TensorInfo tensor, ReadOnlySpan<float> values)
    {
        RequireCount(tensor, values.Length);
        BeginTensor(tensor);
        int length = BufferLength / tensor.Type.Size();
        for (int done = 0; done < values.Length; done += length)
        {
            WriteChunk(tensor, done, values.Slice(done, Math.Min(length, values.Length - done)));
        }
    }

    /// <summary>Writes a source's tensor, perhaps under another name, rounding or widening its values to another floating-point type, in chunks.</summary>
    /// <exception cref="SmileException">
    /// The source has no such tensor, or one of another shape or not of a floating-point type, or it cannot be read, a finite value is too
    /// large for the type, or the file cannot be written.
    /// </exception>
    public void Convert(TensorInfo tensor, ITensorSource source, string sourceName)
    {
        TensorInfo stored = source.GetTensor(sourceName);
        source.RequireFloatingPoint(stored);
        if (!stored.Shape.SequenceEqual(tensor.Shape))
        {
            throw new SmileException(
                $"{source.Location}: tensor {ErrorText.Quote(sourceName)}: found {stored.Description}; expected the shape of {tensor.Description}, to be converted.");
        }

        RequireCount(tensor, tensor.ElementCount);
        BeginTensor(tensor);
        float[] values = new float[(int)Math.Min(BufferLength / tensor.Type.Size(), tensor.ElementCount)];
        for (long done = 0; _remaining > 0; done += values.Length)
        {
            Span<float> chunk = values.AsSpan(0, (int)Math.Min(values.Length, tensor.ElementCount - done));
            source.ReadFloats(sourceName, done, chunk);
            WriteChunk(tensor, done, chunk);
        }
    }

    /// <summary>Writes a tensor of type I64.</summary>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public void WriteIntegers(TensorInfo tensor, ReadOnlySpan<long> values)
    {
        BeginTensor(tensor);
        while (!values.IsEmpty)
        {
            ReadOnlySpan<long> chunk = values[..Math.Min(values.Length, BufferLength / sizeof(long))];
            Write(MemoryMarshal.AsBytes(chunk));
            values = values[chunk.Length..];
        }
    }

    /// <summary>Writes a tensor byte by byte as a source stores it, perhaps under another name.</summary>
    /// <exception cref="SmileException">
    /// The source has no such tensor, or one of another type or shape, or it cannot be read, or the file cannot be written.
    /// </exception>
    public void Copy(TensorInfo tensor, ITensorSource source, string sourceName)
    {
        TensorInfo stored = source.GetTensor(sourceName);
        if (stored with { Name = tensor.Name } != tensor)
        {
            throw new SmileException(
                $"{source.Location}: tensor {ErrorText.Quote(sourceName)}: found {stored.Description}; expected {tensor.Description}, to be copied unchanged.");
        }

        BeginTensor(tensor);
        for (long done = 0; _remaining > 0;)
        {
            Span<byte> bytes = _buffer.AsSpan(0, (int)Math.Min(BufferLength, _remaining));
            source.ReadBytes(sourceName, done, bytes);
            Write(bytes);
            done += bytes.Length;
        }
    }

    /// <summary>Writes the header and makes the file durable.</summary>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public void Finish()
    {
        if (_remaining != 0)
        {
            throw new InvalidOperationException($"{_remaining} bytes of the last tensor are still to be written.");
        }

        byte[] start = new byte[_dataStart];
        start.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteInt64LittleEndian(start, _dataStart - SafetensorsHeader.PrefixLength);
        _header.WrittenSpan.CopyTo(start.AsSpan(SafetensorsHeader.PrefixLength));
        start[SafetensorsHeader.PrefixLength + _header.WrittenCount] = (byte)'}';
        WriteAt(0, start);
        Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static byte[] Entry(TensorInfo tensor, long begin, long end)
    {
        JsonEncodedText name = JsonEncodedText.Encode(tensor.Name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        string rest = string.Create(
            CultureInfo.InvariantCulture,
            $"\":{{\"dtype\":\"{tensor.Type.DtypeName()}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{begin},{end}]}}");
        return [.. ",\""u8, .. name.EncodedUtf8Bytes, .. Encoding.ASCII.GetBytes(rest)];
    }

    private static void RequireCount(TensorInfo tensor, long count)
    {
        if (!tensor.Type.IsFloatingPoint() || tensor.ElementCount != count)
        {
            throw new ArgumentException($"{count} floating-point values for {ErrorText.Quote(tensor.Name)}, {tensor.Description}.", nameof(tensor));
        }
    }

    /// <summary>Writes the next values of the tensor that was begun, at most a buffer full.</summary>
    private void WriteChunk(TensorInfo tensor, long start, ReadOnlySpan<float> values)
    {
        Span<byte> bytes = _buffer.AsSpan(0, values.Length * tensor.Type.Size());
        int overflow = FloatCodec.Encode(values, tensor.Type, bytes);
        if (overflow >= 0)
        {
            throw new SmileException(FormattableString.Invariant(
                $"{_location}: tensor {ErrorText.Quote(tensor.Name)}: element {start + overflow} is {values[overflow]}, which {tensor.Type.DtypeName()} cannot hold; choose a wider type."));
        }

        Write(bytes);
    }

    private void WriteAt(long position, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(_file, bytes, position);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(_path, "cannot be written", e);
        }

        _unflushed += bytes.Length;
        if (_unflushed >= FlushedAtOnce)
        {
            Flush();
        }
    }

    private void Flush()
    {
        try
        {
            RandomAccess.FlushToDisk(_file);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(_path, "cannot be written", e);
        }

        _unflushed = 0;
    }
}
