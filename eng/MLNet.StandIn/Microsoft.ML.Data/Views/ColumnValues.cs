namespace Microsoft.ML.Data;

/// <summary>The values of one column, in memory.</summary>
internal abstract class ColumnValues
{
    public static ColumnValues Create(DataViewSchema.Column column) => (ColumnValues)Activator.CreateInstance(
        column.Type is VectorDataViewType vector
            ? typeof(VectorColumnValues<>).MakeGenericType(vector.ItemType.RawType)
            : typeof(ScalarColumnValues<>).MakeGenericType(column.Type.RawType));

    /// <summary>An action that appends the column's value in the row that the cursor stands on.</summary>
    public abstract Action CreateAppender(DataViewRow row, DataViewSchema.Column column);

    /// <summary>A ValueGetter of the value at an index.</summary>
    public abstract Delegate CreateGetter(Func<int> index);
}
