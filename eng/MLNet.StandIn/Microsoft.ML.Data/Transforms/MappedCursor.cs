namespace Microsoft.ML.Data;

internal sealed class MappedCursor(RowMapper mapper, DataViewRowCursor input, bool[] active) : WrappedCursor(input)
{
    public override DataViewSchema Schema => mapper.OutputSchema;

    public override bool IsColumnActive(DataViewSchema.Column column) => active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        => IsColumnActive(column) ? mapper.GetGetter<TValue>(Input, column) : throw Getters.Inactive(column);
}
