namespace Microsoft.ML.Data;

public static class SchemaAnnotationsExtensions
{
    public static bool HasSlotNames(this DataViewSchema.Column column)
        => column.Type is VectorDataViewType { IsKnownSize: true } vector
            && HasVector(column, AnnotationKinds.SlotNames, vector.Size, TextDataViewType.Instance);

    public static void GetSlotNames(this DataViewSchema.Column column, ref VBuffer<ReadOnlyMemory<char>> slotNames)
        => column.Annotations.GetValue(AnnotationKinds.SlotNames, ref slotNames);

    public static bool HasKeyValues(this DataViewSchema.Column column, PrimitiveDataViewType keyValueItemType = null)
    {
        var item = (column.Type as VectorDataViewType)?.ItemType ?? column.Type;
        return item is KeyDataViewType { Count: <= int.MaxValue } key
            && HasVector(column, AnnotationKinds.KeyValues, (int)key.Count, keyValueItemType ?? TextDataViewType.Instance);
    }

    public static void GetKeyValues<TValue>(this DataViewSchema.Column column, ref VBuffer<TValue> keyValues)
        => column.Annotations.GetValue(AnnotationKinds.KeyValues, ref keyValues);

    private static bool HasVector(DataViewSchema.Column column, string kind, int size, PrimitiveDataViewType itemType)
        => column.Annotations.Schema.GetColumnOrNull(kind)?.Type is VectorDataViewType type && type.Size == size && type.ItemType.Equals(itemType);
}
