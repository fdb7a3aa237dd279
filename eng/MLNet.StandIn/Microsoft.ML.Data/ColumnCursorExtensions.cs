namespace Microsoft.ML.Data;

public static class ColumnCursorExtensions
{
    public static IEnumerable<T> GetColumn<T>(this IDataView data, string columnName) => data.GetColumn<T>(data.Schema[columnName]);

    /// <exception cref="ArgumentOutOfRangeException">A T cannot hold the column's values.</exception>
    public static IEnumerable<T> GetColumn<T>(this IDataView data, DataViewSchema.Column column)
    {
        ArgumentNullException.ThrowIfNull(data);
        var conversion = MemberConversion.Create(typeof(T), column.Type)
            ?? throw new ArgumentOutOfRangeException(nameof(column), $"Could not map the column '{column.Name}' of type {column.Type} to {typeof(T)}.");
        return Enumerate();

        IEnumerable<T> Enumerate()
        {
            using var cursor = data.GetRowCursor([column]);
            var read = (Func<T>)conversion.CreateReader(cursor, column);
            while (cursor.MoveNext())
            {
                yield return read();
            }
        }
    }
}
