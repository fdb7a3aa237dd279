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
        switch (random.Next(4))
        {
            case 0:
                return ByteMutator.Mutate(random, Write(_parts));
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
            switch (random.Next(6))
            {
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
