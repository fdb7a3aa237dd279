using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Smile.ML.Checkpoints;

/// <summary>
/// The JSON header of a safetensors file, checked as strictly as the format's reference implementation does: the tensors tile the
/// data without a hole or an overlap, and each range is what type and shape ask for.
/// Format: https://github.com/huggingface/safetensors#format.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The largest header in bytes that the format allows.</summary>
    public const int MaxLength = 100_000_000;

    /// <summary>The bytes before the header, which give its length.</summary>
    public const int PrefixLength = sizeof(ulong);

    /// <summary>The key that holds the file's metadata among the tensors' names.</summary>
    public const string MetadataKey = "__metadata__";

    private const int MaxDimensions = 64;

    private readonly string _path;
    private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ByteRange> _ranges = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);

    private SafetensorsHeader(string path) => _path = path;

    /// <summary>Gets the tensors by name, in the header's order.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;

    /// <summary>Gets the file's metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Parses and checks a header.</summary>
    /// <param name="json">The header without its length.</param>
    /// <param name="dataLength">The bytes that follow it in the file.</param>
    /// <param name="path">What messages call the file.</param>
    /// <returns>The header.</returns>
    /// <exception cref="SmileException">The header is not valid or does not fit the data.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataLength, string path)
    {
        if (json.IsEmpty || json[0] != (byte)'{')
        {
            throw new SmileException($"{path}: the header begins with '{ErrorText.Clip(json[..Math.Min(json.Length, 16)])}'; expected '{{'.");
        }

        if (!Utf8.IsValid(json))
        {
            throw new SmileException($"{path}: the header is not valid UTF-8.");
        }

        var header = new SafetensorsHeader(path);
        try
        {
            header.ReadEntries(new Utf8JsonReader(json));
        }
        catch (JsonException e)
        {
            throw new SmileException($"{path}: the header is not valid JSON: {ErrorText.Clip(e.Message)}", e);
        }

        header.CheckLayout(dataLength);
        return header;
    }

    /// <summary>Gets where a tensor's bytes begin, counted from the end of the header.</summary>
    public long Offset(string name) => _ranges[name].Begin;

    private void ReadEntries(Utf8JsonReader reader)
    {
        reader.Read();
        bool hasMetadata = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref reader, "a name");
            reader.Read();
            if (name != MetadataKey)
            {
                ReadTensor(ref reader, name);
            }
            else if (hasMetadata)
            {
                throw new SmileException($"{_path}: the header holds '{MetadataKey}' twice.");
            }
            else
            {
                hasMetadata = true;
                ReadMetadata(ref reader);
            }
        }

        // Reports what follows the closing brace, unless it is white space.
        reader.Read();
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Require(ref reader, JsonTokenType.StartObject, $"'{MetadataKey}'", "an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref reader, $"'{MetadataKey}'");
            string place = $"'{MetadataKey}', key {ErrorText.Quote(key)}";
            reader.Read();
            Require(ref reader, JsonTokenType.String, place, "a string");
            if (!_metadata.TryAdd(key, Text(ref reader, place)))
            {
                throw new SmileException($"{_path}: {place}: found twice.");
            }
        }
    }

    private void ReadTensor(ref Utf8JsonReader reader, string name)
    {
        string place = Place(name);
        Require(ref reader, JsonTokenType.StartObject, place, "an object with dtype, shape and data_offsets");
        TensorType? type = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref reader, place);
            reader.Read();
            bool first = key switch
            {
                "dtype" => type is null,
                "shape" => shape is null,
                "data_offsets" => offsets is null,
                _ => throw new SmileException($"{_path}: {place}: found the key {ErrorText.Quote(key)}; expected only dtype, shape and data_offsets."),
            };
            if (!first)
            {
                throw new SmileException($"{_path}: {place}: found '{key}' twice.");
            }

            switch (key)
            {
                case "dtype":
                    type = ReadType(ref reader, place);
                    break;
                case "shape":
                    shape = ReadIntegers(ref reader, place, "shape", MaxDimensions);
                    break;
                default:
                    offsets = ReadIntegers(ref reader, place, "data_offsets", 2);
                    break;
            }
        }

        if (type is null || shape is null || offsets is null)
        {
            string missing = type is null ? "dtype" : shape is null ? "shape" : "data_offsets";
            throw new SmileException($"{_path}: {place}: '{missing}' is missing.");
        }

        if (offsets.Length != 2)
        {
            throw new SmileException($"{_path}: {place}: data_offsets holds {offsets.Length} numbers; expected 2.");
        }

        if (!_tensors.TryAdd(name, new TensorInfo(name, type.Value, shape)))
        {
            throw new SmileException($"{_path}: {place}: found twice in the header.");
        }

        _ranges.Add(name, new ByteRange(offsets[0], offsets[1]));
    }

    private TensorType ReadType(ref Utf8JsonReader reader, string place)
    {
        Require(ref reader, JsonTokenType.String, $"{place}, dtype", "a string");
        string dtype = Text(ref reader, place);
        return TensorTypeExtensions.TryParseDtype(dtype, out TensorType type)
            ? type
            : throw new SmileException(
                $"{_path}: {place}: found the dtype {ErrorText.Quote(dtype)}; expected one of {TensorTypeExtensions.AllDtypeNames}.");
    }

    private long[] ReadIntegers(ref Utf8JsonReader reader, string place, string key, int maxCount)
    {
        Require(ref reader, JsonTokenType.StartArray, $"{place}, {key}", "an array of integers");
        Span<long> values = stackalloc long[maxCount];
        int count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long value) || value < 0)
            {
                throw new SmileException(
                    $"{_path}: {place}: {key} holds {ErrorText.Clip(reader.ValueSpan)}; expected integers from 0 to {long.MaxValue}.");
            }

            if (count == maxCount)
            {
                throw new SmileException($"{_path}: {place}: {key} holds more than {maxCount} numbers.");
            }

            values[count++] = value;
        }

        return values[..count].ToArray();
    }

    private void CheckLayout(long dataLength)
    {
        (string Name, ByteRange Range)[] tensors = [.. _ranges.Select(pair => (pair.Key, pair.Value))];
        Array.Sort(tensors, static (a, b) => a.Range.CompareTo(b.Range));

        long end = 0;
        string before = "the data begins";
        foreach ((string name, ByteRange range) in tensors)
        {
            CheckSize(_tensors[name], range);
            if (range.Begin != end)
            {
                throw new SmileException(
                    $"{_path}: {Place(name)}: begins at byte {range.Begin} of the data; expected {end}, where {before}: tensors may neither overlap nor leave holes.");
            }

            if (range.End > dataLength)
            {
                throw new SmileException(
                    $"{_path}: {Place(name)}: ends at byte {range.End} of the data, but the file holds only {dataLength}: it is truncated, or the header is wrong.");
            }

            end = range.End;
            before = $"{Place(name)} ends";
        }

        if (end != dataLength)
        {
            throw new SmileException($"{_path}: found {dataLength} bytes of data; expected {end}, the end of the last tensor.");
        }
    }

    private void CheckSize(TensorInfo tensor, ByteRange range)
    {
        long expected;
        try
        {
            expected = tensor.ByteLength;
        }
        catch (OverflowException e)
        {
            throw new SmileException($"{_path}: {Place(tensor.Name)}: {tensor.Description} has more bytes than 64 bits can count.", e);
        }

        if (range.End < range.Begin || range.End - range.Begin != expected)
        {
            throw new SmileException(
                $"{_path}: {Place(tensor.Name)}: data_offsets [{range.Begin}, {range.End}] span {range.End - range.Begin} bytes; expected {expected} for {tensor.Description}.");
        }
    }

    private void Require(ref Utf8JsonReader reader, JsonTokenType token, string place, string expected)
    {
        if (reader.TokenType != token)
        {
            throw new SmileException($"{_path}: {place}: found JSON {reader.TokenType}; expected {expected}.");
        }
    }

    private string Text(ref Utf8JsonReader reader, string place)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            // An escaped half of a surrogate pair.
            throw new SmileException($"{_path}: {place}: found {ErrorText.Clip(reader.ValueSpan)}; expected Unicode text.", e);
        }
    }

    private static string Place(string name) => $"tensor {ErrorText.Quote(name)}";

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct ByteRange(long Begin, long End) : IComparable<ByteRange>
    {
        public int CompareTo(ByteRange other) => (Begin, End).CompareTo((other.Begin, other.End));
    }
}
