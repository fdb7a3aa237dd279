using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>
/// Makes hostile safetensors files: valid ones with other tensors than expected, ones whose header lies about their data, and ones that
/// are damaged byte by byte.
/// </summary>
internal sealed class TensorFileMutator
{
    // What is written must not cost more than reading it may.
    private const int MaxElements = 1 << 16;

    private static readonly string[] HeaderKeys = ["dtype", "shape", "data_offsets", "__metadata__", "x"];
    private static readonly TensorType[] Types = Enum.GetValues<TensorType>();
    private static readonly float[] OddValues = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, 1e-42f, -0f];

    // Names that are read as others, or look like them.
    private static readonly (string From, string To)[] OtherNames =
    [
        ("weight", "gamma"), ("bias", "beta"), ("LayerNorm.weight", "LayerNorm.gamma"), ("model.", ""), ("", "model."), ("", "bert."), ("", "vision_model."), ("", "base_model.model."),
        ("weight", "base_layer.weight"), ("lora_A.", "lora_A.default."), ("layers", "LAYERS"), ("e", "\u0435"), ("", "\u0000"), ("", "__metadata__"), (".", ".."), ("", "\u001b[31m"),
    ];

    private readonly Part[] _parts;

    /// <summary>Takes the tensors of an intact file.</summary>
    public TensorFileMutator(string path)
    {
        using var file = SafetensorsFile.Open(path);
        _parts = [.. file.Tensors.Values.Select(tensor => new Part(tensor.Name, tensor.Type, [.. tensor.Shape], file.ReadBytes(tensor.Name)))];
    }

    /// <summary>Makes a file.</summary>
    public byte[] Create(Random random)
    {
        switch (random.Next(5))
        {
            case 0:
                return ByteMutator.Mutate(random, Write(_parts));
            case 4:
                return ChangeLayout(random);
            case 1:
                JsonObject header = Header(_parts);
                byte[] json = JsonMutator.Mutate(random, header, HeaderKeys);
                return Write(json, [.. _parts.SelectMany(part => part.Data)]);
            default:
                return Write(ChangeTensors(random));
        }
    }

    /// <summary>Writes the tensors as they are.</summary>
    public byte[] Intact() => Write(_parts);

    /// <summary>Gives a valid file of other tensors.</summary>
    private List<Part> ChangeTensors(Random random)
    {
        List<Part> parts = [.. _parts];
        for (int i = random.Next(1, 3); i > 0 && parts.Count > 0; i--)
        {
            int at = random.Next(parts.Count);
            Part part = parts[at];
            switch (random.Next(9))
            {
                case 6:
                    // Another type for the same bytes, the shape to match.
                    parts[at] = Reinterpreted(part, Types[random.Next(Types.Length)]);
                    break;
                case 7:
                    // The tensor moves to another's name, or is there under both.
                    (string from, string to) = OtherNames[random.Next(OtherNames.Length)];
                    string renamed = from.Length == 0 ? to + part.Name : part.Name.Replace(from, to, StringComparison.Ordinal);
                    if (!parts.Exists(other => other.Name == renamed))
                    {
                        parts.Add(part with { Name = renamed });
                        if (random.Next(2) == 0)
                        {
                            parts.RemoveAt(at);
                        }
                    }

                    break;
                case 8:
                    byte[] odd = [.. part.Data];
                    float value = OddValues[random.Next(OddValues.Length)];
                    for (int b = 0; b + sizeof(float) <= odd.Length; b += sizeof(float))
                    {
                        BinaryPrimitives.WriteSingleLittleEndian(odd.AsSpan(b), value);
                    }

                    parts[at] = part with { Data = odd };
                    break;
                case 0:
                    parts.RemoveAt(at);
                    break;
                case 1:
                    parts[at] = part with { Name = random.Next(2) == 0 ? part.Name + ".x" : NewName(parts, part.Name.Replace('0', '1')) };
                    break;
                case 2:
                    parts[at] = Resized(random, part, Reshaped(random, part.Shape), part.Type);
                    break;
                case 3:
                    parts[at] = Resized(random, part, part.Shape, Types[random.Next(Types.Length)]);
                    break;
                case 4:
                    byte[] data = [.. part.Data];
                    if (data.Length >= sizeof(float))
                    {
                        BinaryPrimitives.WriteSingleLittleEndian(
                            data.AsSpan(random.Next(data.Length / sizeof(float)) * sizeof(float)), OddValues[random.Next(OddValues.Length)]);
                    }

                    parts[at] = part with { Data = data };
                    break;
                default:
                    parts.Add(part with { Name = NewName(parts, $"{part.Name}.{random.Next(3)}") });
                    break;
            }
        }

        return parts;
    }

    /// <summary>Gives the tensors in a file that is laid out otherwise: another order, padding, gaps, overlaps, metadata, something behind the end.</summary>
    private byte[] ChangeLayout(Random random)
    {
        Part[] parts = [.. _parts];
        random.Shuffle(parts);
        JsonObject header = Header(parts);
        byte[] data = [.. parts.SelectMany(part => part.Data)];
        string name = parts[random.Next(parts.Length)].Name;
        JsonArray offsets = header[name]!["data_offsets"]!.AsArray();
        long begin = (long)offsets[0]!, end = (long)offsets[1]!;
        string text = header.ToJsonString();
        switch (random.Next(8))
        {
            case 0:
                header[name]!["data_offsets"] = new JsonArray(0, end - begin);
                break;
            case 1:
                header[name]!["data_offsets"] = new JsonArray(end, begin);
                break;
            case 2:
                header["empty"] = new JsonObject { ["dtype"] = "F32", ["shape"] = new JsonArray(0, random.Next(3)), ["data_offsets"] = new JsonArray(begin, begin) };
                break;
            case 3:
                var metadata = new JsonObject();
                for (int i = random.Next(100); i >= 0; i--)
                {
                    metadata[$"key {i}"] = new string('\u202e', random.Next(100));
                }

                header["__metadata__"] = random.Next(3) == 0 ? new JsonArray() : metadata;
                break;
            case 4:
                data = [.. data, .. new byte[random.Next(1, 64)]];
                break;
            case 5:
                return Write(Encoding.UTF8.GetBytes(text + new string(random.Next(2) == 0 ? ' ' : '\0', random.Next(1, 64))), data);
            case 6:
                return Write(Encoding.UTF8.GetBytes(text + (random.Next(2) == 0 ? text : "x")), data);
            default:
                header[name]!["shape"] = new JsonArray([.. Enumerable.Repeat(1, random.Next(1, 100)).Select(dimension => JsonValue.Create(dimension))]);
                break;
        }

        return Write(Encoding.UTF8.GetBytes(header.ToJsonString()), data);
    }

    /// <summary>Sees the same bytes as another type; the last dimension takes the difference.</summary>
    private static Part Reinterpreted(Part part, TensorType type)
    {
        if (part.Shape.Length == 0 || part.Shape[^1] * part.Type.Size() % type.Size() != 0)
        {
            return part;
        }

        long[] shape = [.. part.Shape[..^1], part.Shape[^1] * part.Type.Size() / type.Size()];
        return part with { Type = type, Shape = shape };
    }

    private static string NewName(List<Part> parts, string name) => parts.Exists(part => part.Name == name) ? name + "_" : name;

    private static long[] Reshaped(Random random, long[] shape) => random.Next(6) switch
    {
        0 => [.. shape.Reverse()],
        1 => [.. shape, 1],
        2 => [shape.Aggregate(1L, (product, dimension) => product * dimension)],
        3 when shape.Length > 0 => [0, .. shape[1..]],
        4 when shape.Length > 0 => [0, .. shape[1..].Select(_ => 1L << random.Next(63))],
        _ => [.. shape.Select(dimension => Math.Max(0, dimension + random.Next(-1, 2)))],
    };

    private static Part Resized(Random random, Part part, long[] shape, TensorType type)
    {
        if (shape.Aggregate(1.0, (product, dimension) => product * dimension) > MaxElements)
        {
            shape = [0, .. shape[1..]];
        }

        var data = new byte[shape.Aggregate(1L, (product, dimension) => product * dimension) * type.Size()];
        random.NextBytes(data);
        return part with { Shape = shape, Type = type, Data = data };
    }

    private static byte[] Write(IReadOnlyList<Part> parts)
        => Write(Encoding.UTF8.GetBytes(Header(parts).ToJsonString()), [.. parts.SelectMany(part => part.Data)]);

    private static byte[] Write(byte[] header, byte[] data)
    {
        var bytes = new byte[sizeof(long) + header.Length + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, sizeof(long));
        data.CopyTo(bytes, sizeof(long) + header.Length);
        return bytes;
    }

    private static JsonObject Header(IReadOnlyList<Part> parts)
    {
        var header = new JsonObject();
        long offset = 0;
        foreach (Part part in parts)
        {
            header[part.Name] = new JsonObject
            {
                ["dtype"] = part.Type.DtypeName(),
                ["shape"] = new JsonArray([.. part.Shape.Select(dimension => JsonValue.Create(dimension))]),
                ["data_offsets"] = new JsonArray(offset, offset + part.Data.Length),
            };
            offset += part.Data.Length;
        }

        return header;
    }

    private sealed record Part(string Name, TensorType Type, long[] Shape, byte[] Data);
}
