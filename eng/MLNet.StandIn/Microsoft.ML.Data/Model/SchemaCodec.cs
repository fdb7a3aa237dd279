using System.Text;

namespace Microsoft.ML.Data;

/// <summary>Writes and reads a schema: names, types and annotations. Columns of other types than <see cref="TypeCodec"/>'s are left out.</summary>
internal static class SchemaCodec
{
    private static readonly byte[] Magic = "MLStndIn"u8.ToArray();

    public static void Write(Stream stream, DataViewSchema schema)
    {
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(Magic);
        DataViewSchema.Column[] columns = [.. schema.Where(column => TypeCodec.CanWrite(column.Type))];
        writer.Write(columns.Length);
        foreach (var column in columns)
        {
            WriteNamedType(writer, column);
            DataViewSchema.Column[] annotations = [.. column.Annotations.Schema.Where(annotation => TypeCodec.CanWrite(annotation.Type))];
            writer.Write(annotations.Length);
            foreach (var annotation in annotations)
            {
                WriteNamedType(writer, annotation);
                ValueCodec.Write(writer, Getters.Boxed(column.Annotations.GetGetterInternal(annotation.Index))());
            }
        }
    }

    /// <exception cref="FormatException">The stand-in did not write this.</exception>
    public static DataViewSchema Read(Stream stream)
    {
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        if (!reader.ReadBytes(Magic.Length).AsSpan().SequenceEqual(Magic))
        {
            throw new FormatException("The model's schema was not written by the ML.NET stand-in, which reads only what it wrote itself.");
        }
        var schema = new DataViewSchema.Builder();
        for (int columns = reader.ReadInt32(); columns > 0; columns--)
        {
            string name = reader.ReadString();
            var type = TypeCodec.Read(reader);
            var builder = new DataViewSchema.Annotations.Builder();
            for (int annotations = reader.ReadInt32(); annotations > 0; annotations--)
            {
                string kind = reader.ReadString();
                var annotationType = TypeCodec.Read(reader);
                object value = ValueCodec.Read(reader, annotationType.RawType);
                builder.Add(kind, annotationType, MemberConversion.Create(annotationType.RawType, annotationType).ConstantGetter(value));
            }
            schema.AddColumn(name, type, builder.ToAnnotations());
        }
        return schema.ToSchema();
    }

    private static void WriteNamedType(BinaryWriter writer, DataViewSchema.Column column)
    {
        writer.Write(column.Name);
        TypeCodec.Write(writer, column.Type);
    }
}
