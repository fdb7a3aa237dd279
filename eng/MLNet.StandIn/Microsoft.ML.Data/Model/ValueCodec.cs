using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>Writes and reads the values of the types that <see cref="TypeCodec"/> knows.</summary>
internal static class ValueCodec
{
    private static readonly MethodInfo TypedReadVector = typeof(ValueCodec).GetMethod(nameof(ReadVector), BindingFlags.Static | BindingFlags.NonPublic);

    public static void Write(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case ReadOnlyMemory<char> text: writer.Write(text.ToString()); break;
            case bool flag: writer.Write(flag); break;
            case sbyte number: writer.Write(number); break;
            case byte number: writer.Write(number); break;
            case short number: writer.Write(number); break;
            case ushort number: writer.Write(number); break;
            case int number: writer.Write(number); break;
            case uint number: writer.Write(number); break;
            case long number: writer.Write(number); break;
            case ulong number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case double number: writer.Write(number); break;
            case DateTime time: writer.Write(time.ToBinary()); break;
            case TimeSpan span: writer.Write(span.Ticks); break;
            case DataViewRowId id:
                writer.Write(id.Low);
                writer.Write(id.High);
                break;
            case System.Collections.IEnumerable vector:
                object[] items = [.. vector.Cast<object>()];
                writer.Write(items.Length);
                foreach (object item in items)
                {
                    Write(writer, item);
                }
                break;
            default: throw new NotSupportedException($"A {value?.GetType()} cannot be saved.");
        }
    }

    public static object Read(BinaryReader reader, Type rawType)
    {
        if (rawType == typeof(ReadOnlyMemory<char>))
        {
            return reader.ReadString().AsMemory();
        }
        if (rawType == typeof(TimeSpan))
        {
            return new TimeSpan(reader.ReadInt64());
        }
        if (rawType == typeof(DataViewRowId))
        {
            return new DataViewRowId(reader.ReadUInt64(), reader.ReadUInt64());
        }
        if (rawType.IsGenericType && rawType.GetGenericTypeDefinition() == typeof(VBuffer<>))
        {
            return TypedReadVector.MakeGenericMethod(rawType.GetGenericArguments()).CreateDelegate<Func<BinaryReader, object>>()(reader);
        }
        return Type.GetTypeCode(rawType) switch
        {
            TypeCode.Boolean => reader.ReadBoolean(),
            TypeCode.SByte => reader.ReadSByte(),
            TypeCode.Byte => reader.ReadByte(),
            TypeCode.Int16 => reader.ReadInt16(),
            TypeCode.UInt16 => reader.ReadUInt16(),
            TypeCode.Int32 => reader.ReadInt32(),
            TypeCode.UInt32 => reader.ReadUInt32(),
            TypeCode.Int64 => reader.ReadInt64(),
            TypeCode.UInt64 => reader.ReadUInt64(),
            TypeCode.Single => reader.ReadSingle(),
            TypeCode.Double => reader.ReadDouble(),
            TypeCode.DateTime => DateTime.FromBinary(reader.ReadInt64()),
            _ => throw new NotSupportedException($"A {rawType} cannot be loaded."),
        };
    }

    private static object ReadVector<T>(BinaryReader reader)
    {
        var values = new List<T>();
        for (int count = reader.ReadInt32(); count > 0; count--)
        {
            values.Add((T)Read(reader, typeof(T)));
        }
        return new VBuffer<T>(values.Count, [.. values]);
    }
}
