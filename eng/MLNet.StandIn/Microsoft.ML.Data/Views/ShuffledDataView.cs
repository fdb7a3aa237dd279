namespace Microsoft.ML.Data;

/// <summary>The rows of a view in another order: the same one every time unless the cursor is given a generator.</summary>
internal sealed class ShuffledDataView(IDataView source, int seed, bool shuffleSource) : IDataView
{
    public bool CanShuffle => true;

    public DataViewSchema Schema => source.Schema;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
    {
        rand ??= new Random(seed);
        var shuffleable = shuffleSource && source.CanShuffle ? source : new CacheDataView(source);
        return shuffleable.GetRowCursor(columnsNeeded, rand);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => [GetRowCursor(columnsNeeded, rand)];
}
