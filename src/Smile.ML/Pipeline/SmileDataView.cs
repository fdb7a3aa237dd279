using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>The lazily scored rows of an input.</summary>
internal sealed class SmileDataView(SmileRowMapper mapper, IDataView source) : IDataView
{
    public DataViewSchema Schema => mapper.OutputSchema;

    public bool CanShuffle => source.CanShuffle;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        bool[] active = mapper.GetActive(columnsNeeded);
        return CreateCursor(source.GetRowCursor(mapper.GetDependencies(active), rand), active);
    }

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null)
    {
        bool[] active = mapper.GetActive(columnsNeeded);
        return [.. source.GetRowCursorSet(mapper.GetDependencies(active), n, rand).Select(cursor => CreateCursor(cursor, active))];
    }

    /// <summary>
    /// Rows can be read ahead where all that is passed through can be held. Images, for one, can't: they live no longer than their row.
    /// </summary>
    private DataViewRowCursor CreateCursor(DataViewRowCursor cursor, bool[] active)
    {
        bool canLookAhead = mapper.InputSchema.All(column => !active[column.Index] || column.Type is PrimitiveDataViewType or VectorDataViewType);
        return mapper.AddsAny(active) && canLookAhead
            ? new BatchingCursor(mapper, cursor, active)
            : new SingleRowCursor(mapper, cursor, active);
    }
}
