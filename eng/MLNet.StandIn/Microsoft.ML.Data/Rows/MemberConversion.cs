namespace Microsoft.ML.Data;

/// <summary>Between a member of a row class (string, array, ...) and the raw value of a column (text, VBuffer, ...).</summary>
internal abstract class MemberConversion
{
    public static Type RawTypeOf(Type memberType)
    {
        if (memberType == typeof(string))
        {
            return typeof(ReadOnlyMemory<char>);
        }
        return memberType.IsArray ? typeof(VBuffer<>).MakeGenericType(RawTypeOf(memberType.GetElementType())) : memberType;
    }

    /// <summary>The conversion, or null if the member cannot hold such a column.</summary>
    public static MemberConversion Create(Type memberType, DataViewType columnType)
    {
        var raw = RawTypeOf(memberType);
        if (raw != columnType.RawType)
        {
            return null;
        }
        Type conversion;
        if (memberType.IsArray)
        {
            conversion = memberType == typeof(string[])
                ? typeof(TextArrayConversion)
                : typeof(ArrayConversion<>).MakeGenericType(memberType.GetElementType());
        }
        else if (columnType is VectorDataViewType vector)
        {
            conversion = typeof(VectorConversion<>).MakeGenericType(vector.ItemType.RawType);
        }
        else
        {
            conversion = memberType == typeof(string) ? typeof(TextConversion) : typeof(SameTypeConversion<>).MakeGenericType(raw);
        }
        return (MemberConversion)Activator.CreateInstance(conversion);
    }

    /// <summary>A ValueGetter that reads the member of whatever the current row is.</summary>
    public abstract Delegate CreateGetter<TRow>(RowMember member, Func<TRow> current);

    /// <summary>An action that fetches the column and writes it to the member.</summary>
    public abstract Action<TRow> CreateSetter<TRow>(RowMember member, DataViewRow row, DataViewSchema.Column column);

    /// <summary>A function without parameters that fetches the column as a new member value.</summary>
    public abstract Delegate CreateReader(DataViewRow row, DataViewSchema.Column column);

    /// <summary>A ValueGetter of one value.</summary>
    public abstract Delegate ConstantGetter(object value);
}
