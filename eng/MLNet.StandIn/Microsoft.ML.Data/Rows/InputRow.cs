namespace Microsoft.ML.Data;

/// <summary>A row that stands on one object after another.</summary>
internal sealed class InputRow<TRow>(RowClass<TRow> rowClass) : DataViewRow
    where TRow : class
{
    private TRow _current;
    private long _position = -1;

    public override DataViewSchema Schema => rowClass.Schema;

    public override long Position => _position;

    public override long Batch => 0;

    public void MoveTo(TRow row)
    {
        _current = row;
        _position++;
    }

    public override bool IsColumnActive(DataViewSchema.Column column) => true;

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        => rowClass.CreateGetter(column.Index, () => _current) as ValueGetter<TValue> ?? throw Getters.WrongType(typeof(TValue), column);

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = new((ulong)_position, 0);
}
