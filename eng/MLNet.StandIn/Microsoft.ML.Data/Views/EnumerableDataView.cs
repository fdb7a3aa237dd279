namespace Microsoft.ML.Data;

/// <summary>A sequence of objects as a view; enumerated anew by every cursor.</summary>
internal sealed class EnumerableDataView<TRow>(IEnumerable<TRow> rows, RowClass<TRow> rowClass) : IDataView
    where TRow : class
{
    public bool CanShuffle => false;

    public DataViewSchema Schema => rowClass.Schema;

    public long? GetRowCount() => (rows as ICollection<TRow>)?.Count;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => new Cursor(rowClass, rows.GetEnumerator(), columnsNeeded);

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];

    private sealed class Cursor(RowClass<TRow> rowClass, IEnumerator<TRow> rows, IEnumerable<DataViewSchema.Column> columnsNeeded)
        : RootCursor(rowClass.Schema, columnsNeeded)
    {
        public override long Batch => 0;

        protected override bool MoveNextCore() => rows.MoveNext();

        protected override Delegate CreateGetter(int column) => rowClass.CreateGetter(column, () => rows.Current);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                rows.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
