namespace Microsoft.ML.Data;

internal sealed class MappedDataView(RowMapper mapper, IDataView source) : IDataView
{
    public bool CanShuffle => source.CanShuffle;

    public DataViewSchema Schema => mapper.OutputSchema;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        columnsNeeded = [.. columnsNeeded];
        return Map(source.GetRowCursor(mapper.GetDependencies(columnsNeeded), rand), columnsNeeded);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        columnsNeeded = [.. columnsNeeded];
        return Array.ConvertAll(source.GetRowCursorSet(mapper.GetDependencies(columnsNeeded), n, rand), cursor => Map(cursor, columnsNeeded));
    }

    private DataViewRowCursor Map(DataViewRowCursor cursor, IEnumerable<DataViewSchema.Column> columnsNeeded)
        => new MappedCursor(mapper, cursor, ActiveColumns.Flags(Schema, columnsNeeded));
}
