using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>A cursor that stays on its source's row: nothing is read ahead, and with no added column active nothing is scored.</summary>
internal sealed class SingleRowCursor(SmileRowMapper mapper, DataViewRowCursor source, bool[] active) : DataViewRowCursor
{
    private readonly SmileRow _row = new(mapper, source, active);

    public override DataViewSchema Schema => _row.Schema;

    public override long Position => _row.Position;

    public override long Batch => _row.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _row.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _row.IsColumnActive(column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _row.GetGetter<TValue>(column);

    public override bool MoveNext() => source.MoveNext();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _row.Dispose();
        }

        base.Dispose(disposing);
    }
}
