namespace Microsoft.ML.Data;

/// <summary>A contiguous part of a view's rows.</summary>
internal sealed class SkipTakeDataView(IDataView source, long skip, long take) : IDataView
{
    public bool CanShuffle => false;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => source.GetRowCount() is { } count ? Math.Min(Math.Max(count - skip, 0), take) : null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => new Cursor(source.GetRowCursor(columnsNeeded), skip, take);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded)];

    private sealed class Cursor(DataViewRowCursor input, long skip, long take) : WrappedCursor(input)
    {
        private long _position = -1;
        private long _taken;
        private bool _started;

        public override long Position => _position;

        public override bool MoveNext()
        {
            if (!_started)
            {
                _started = true;
                for (long i = 0; i < skip && Input.MoveNext(); i++)
                {
                }
            }
            if (_taken < take && Input.MoveNext())
            {
                _position = _taken++;
                return true;
            }
            _position = -1;
            return false;
        }
    }
}
