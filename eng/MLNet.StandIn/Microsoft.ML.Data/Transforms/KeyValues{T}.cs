namespace Microsoft.ML.Data;

internal sealed class KeyValues<T> : KeyValues
{
    private readonly T[] _values;
    private readonly Dictionary<T, uint> _keys = new(Equality<T>());

    public KeyValues(PrimitiveDataViewType type, T[] values)
        : base(type, values.Length)
    {
        _values = values;
        for (int i = 0; i < values.Length; i++)
        {
            _keys[values[i]] = (uint)i + 1;
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static KeyValues Read(BinaryReader reader, PrimitiveDataViewType type)
    {
        var values = new List<T>();
        for (int count = reader.ReadInt32(); count > 0; count--)
        {
            values.Add((T)ValueCodec.Read(reader, typeof(T)));
        }
        return new KeyValues<T>(type, [.. values]);
    }

    public override DataViewSchema.Annotations ToAnnotations()
    {
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(
            AnnotationKinds.KeyValues,
            new VectorDataViewType(Type, _values.Length),
            (ref VBuffer<T> destination) => VBuffer<T>.Copy(_values, 0, ref destination, _values.Length));
        return builder.ToAnnotations();
    }

    public override Delegate CreateKeyGetter(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default;
        return (ValueGetter<uint>)((ref uint key) =>
        {
            getter(ref value);
            key = _keys.GetValueOrDefault(value);
        });
    }

    public override void Write(BinaryWriter writer)
    {
        writer.Write(_values.Length);
        foreach (var value in _values)
        {
            ValueCodec.Write(writer, value);
        }
    }
}
