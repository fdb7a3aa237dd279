namespace Microsoft.ML.Data;

/// <summary>A cursor that has its own rows: keeps the position and checks what the getters are asked for.</summary>
internal abstract class RootCursor : DataViewRowCursor
{
    private readonly bool[] _active;
    private long _position = -1;
    private bool _ended;

    protected RootCursor(DataViewSchema schema, IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        Schema = schema;
        _active = ActiveColumns.Flags(schema, columnsNeeded);
    }

    public sealed override DataViewSchema Schema { get; }

    public sealed override long Position => _position;

    public sealed override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public sealed override bool MoveNext()
    {
        if (!_ended && MoveNextCore())
        {
            _position++;
            return true;
        }
        _ended = true;
        _position = -1;
        return false;
    }

    public sealed override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!IsColumnActive(column))
        {
            throw Getters.Inactive(column);
        }
        var getter = CreateGetter(column.Index) as ValueGetter<TValue> ?? throw Getters.WrongType(typeof(TValue), column);
        return (ref TValue value) =>
        {
            CheckOnRow();
            getter(ref value);
        };
    }

    public sealed override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) =>
    {
        CheckOnRow();
        value = new DataViewRowId((ulong)RowIndex, 0);
    };

    /// <summary>The row's place in the view, whatever the order of reading.</summary>
    protected virtual long RowIndex => _position;

    protected abstract bool MoveNextCore();

    protected abstract Delegate CreateGetter(int column);

    protected override void Dispose(bool disposing)
    {
        _ended = true;
        _position = -1;
        base.Dispose(disposing);
    }

    private void CheckOnRow()
    {
        if (_position < 0)
        {
            throw new InvalidOperationException("Values cannot be fetched at this time: the cursor stands before its first row or after its last.");
        }
    }
}
