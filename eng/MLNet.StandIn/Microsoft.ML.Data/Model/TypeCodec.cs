namespace Microsoft.ML.Data;

/// <summary>Writes and reads the types that a saved schema can hold.</summary>
internal static class TypeCodec
{
    private enum Kind : byte
    {
        Primitive,
        Key,
        Vector,
    }

    public static bool CanWrite(DataViewType type) => type switch
    {
        VectorDataViewType vector => CanWrite(vector.ItemType),
        KeyDataViewType => true,
        _ => type == PrimitiveTypes.OrNull(type.RawType),
    };

    public static void Write(BinaryWriter writer, DataViewType type)
    {
        switch (type)
        {
            case VectorDataViewType vector:
                writer.Write((byte)Kind.Vector);
                Write(writer, vector.ItemType);
                writer.Write(vector.Dimensions.Length);
                foreach (int dimension in vector.Dimensions)
                {
                    writer.Write(dimension);
                }
                break;
            case KeyDataViewType key:
                writer.Write((byte)Kind.Key);
                writer.Write(PrimitiveTypes.OrNull(key.RawType).ToString());
                writer.Write(key.Count);
                break;
            default:
                writer.Write((byte)Kind.Primitive);
                writer.Write(type.ToString());
                break;
        }
    }

    public static DataViewType Read(BinaryReader reader)
    {
        switch ((Kind)reader.ReadByte())
        {
            case Kind.Vector:
                var item = (PrimitiveDataViewType)Read(reader);
                var dimensions = new List<int>();
                for (int count = reader.ReadInt32(); count > 0; count--)
                {
                    dimensions.Add(reader.ReadInt32());
                }
                return new VectorDataViewType(item, dimensions.ToArray());
            case Kind.Key:
                var raw = ReadPrimitive(reader).RawType;
                return new KeyDataViewType(raw, reader.ReadUInt64());
            case Kind.Primitive:
                return ReadPrimitive(reader);
            default:
                throw new FormatException("Corrupt model file: unknown kind of column type.");
        }
    }

    private static PrimitiveDataViewType ReadPrimitive(BinaryReader reader)
    {
        string name = reader.ReadString();
        return PrimitiveTypes.All.FirstOrDefault(type => type.ToString() == name)
            ?? throw new FormatException($"Corrupt model file: unknown column type '{name}'.");
    }
}
