namespace Microsoft.ML.Data;

/// <summary>A view that reads each column of its source at most once, when a cursor first needs it.</summary>
internal sealed class CacheDataView(IDataView source) : IDataView
{
    /// <summary>Consecutive rows that one cursor of a set takes.</summary>
    private const int BatchSize = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, ColumnValues> _columns = [];
    private int? _rowCount;

    public bool CanShuffle => true;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount()
    {
        lock (_lock)
        {
            return _rowCount ?? source.GetRowCount();
        }
    }

    public void Prefetch(IEnumerable<DataViewSchema.Column> columns) => Load(columns);

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => GetRowCursorSet(columnsNeeded, 1, rand)[0];

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
    {
        columnsNeeded = [.. columnsNeeded];
        int rowCount = Load(columnsNeeded);
        int[] order = null;
        if (rand is not null)
        {
            order = [.. Enumerable.Range(0, rowCount)];
            rand.Shuffle(order);
        }
        int parts = Math.Max(n, 1);
        return [.. Enumerable.Range(0, parts).Select(part => new Cursor(this, columnsNeeded, rowCount, order, part, parts))];
    }

    /// <summary>Makes sure that the columns are in memory.</summary>
    private int Load(IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        lock (_lock)
        {
            DataViewSchema.Column[] missing = [.. columnsNeeded.DistinctBy(column => column.Index).Where(column => !_columns.ContainsKey(column.Index))];
            if (missing.Length == 0 && _rowCount is { } known)
            {
                return known;
            }
            ColumnValues[] values = [.. missing.Select(ColumnValues.Create)];
            int rowCount = 0;
            using (var cursor = source.GetRowCursor(missing))
            {
                Action[] appenders = [.. values.Zip(missing, (column, schemaColumn) => column.CreateAppender(cursor, schemaColumn))];
                for (; cursor.MoveNext(); rowCount++)
                {
                    foreach (var append in appenders)
                    {
                        append();
                    }
                }
            }
            if (_rowCount is { } before && before != rowCount)
            {
                throw new InvalidOperationException($"The cached view had {before} rows when first read, and has {rowCount} now.");
            }
            _rowCount = rowCount;
            foreach (var (column, columnValues) in missing.Zip(values))
            {
                _columns.Add(column.Index, columnValues);
            }
            return rowCount;
        }
    }

    private ColumnValues Column(int index)
    {
        lock (_lock)
        {
            return _columns[index];
        }
    }

    /// <summary>Cursor <paramref name="part"/> of a set of <paramref name="parts"/>, which take the batches in turn.</summary>
    private sealed class Cursor(
        CacheDataView view, IEnumerable<DataViewSchema.Column> columnsNeeded, int rowCount, int[] order, int part, int parts)
        : RootCursor(view.Schema, columnsNeeded)
    {
        private int _index = -1;

        public override long Batch => parts == 1 ? 0 : _index / BatchSize;

        protected override long RowIndex => Current;

        private int Current => order is null ? _index : order[_index];

        protected override bool MoveNextCore()
        {
            int next = _index < 0 ? part * BatchSize : _index + 1;
            if (_index >= 0 && next % BatchSize == 0)
            {
                next += (parts - 1) * BatchSize;
            }
            if (next >= rowCount)
            {
                return false;
            }
            _index = next;
            return true;
        }

        protected override Delegate CreateGetter(int column) => view.Column(column).CreateGetter(() => Current);
    }
}
