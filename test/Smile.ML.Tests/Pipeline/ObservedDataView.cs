using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML.Tests.Pipeline;

/// <summary>
/// Rows with an <c>Id</c>, a <c>Pixels</c> vector and a <c>Handle</c> of a type that can't be copied; counts what is read of them. A
/// cursor set deals the rows out in turn, and shuffling is done.
/// </summary>
internal sealed class ObservedDataView(float[][] rows) : IDataView
{
    public int RowsRead;
    public int PixelsRead;

    public DataViewSchema Schema { get; } = CreateSchema(rows[0].Length);

    public bool CanShuffle => true;

    public long? GetRowCount() => rows.Length;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
        => GetRowCursorSet(columnsNeeded, 1, rand)[0];

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        int[] order = [.. Enumerable.Range(0, rows.Length)];
        rand?.Shuffle(order);
        HashSet<int> active = [.. columnsNeeded.Select(column => column.Index)];
        return [.. Enumerable.Range(0, n).Select(k => new Cursor(this, [.. order.Where((_, i) => i % n == k)], active))];
    }

    private float[] Row(int row) => rows[row];

    private static DataViewSchema CreateSchema(int size)
    {
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Id", NumberDataViewType.Int32);
        builder.AddColumn("Pixels", new VectorDataViewType(NumberDataViewType.Single, size));
        builder.AddColumn("Handle", new HandleType());
        return builder.ToSchema();
    }

    /// <summary>A value that is only good while its cursor stays on its row.</summary>
    public sealed class Handle
    {
        public int Row { get; set; } = -1;
    }

    private sealed class HandleType() : StructuredDataViewType(typeof(Handle))
    {
        public override bool Equals(DataViewType? other) => other is HandleType;
    }

    private sealed class Cursor(ObservedDataView view, int[] order, HashSet<int> active) : DataViewRowCursor
    {
        private readonly Handle _handle = new();
        private int _at = -1;

        public override DataViewSchema Schema => view.Schema;

        public override long Position => _at;

        public override long Batch => _at;

        public override bool MoveNext()
        {
            if (_at + 1 >= order.Length)
            {
                return false;
            }

            _at++;
            _handle.Row = order[_at];
            Interlocked.Increment(ref view.RowsRead);
            return true;
        }

        public override bool IsColumnActive(DataViewSchema.Column column) => active.Contains(column.Index);

        public override ValueGetter<DataViewRowId> GetIdGetter()
            => (ref DataViewRowId value) => value = new DataViewRowId((ulong)order[_at], 0);

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            Assert.Contains(column.Index, active);
            Delegate getter = column.Name switch
            {
                "Id" => (ValueGetter<int>)((ref int value) => value = order[_at]),
                "Handle" => (ValueGetter<Handle>)((ref Handle value) => value = _handle),
                _ => (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
                {
                    Interlocked.Increment(ref view.PixelsRead);
                    float[] pixels = view.Row(order[_at]);
                    new VBuffer<float>(pixels.Length, pixels).CopyTo(ref value);
                }),
            };
            return (ValueGetter<TValue>)getter;
        }
    }

}
