using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>A row over a live row of the input, scored by itself when a column is asked for: what a prediction engine reads.</summary>
internal sealed class SmileRow : DataViewRow
{
    private readonly SmileRowMapper _mapper;
    private readonly DataViewRow _input;
    private readonly bool[] _active;
    private readonly Delegate?[] _getters = [];
    private readonly ScoringBlock? _block;
    private long _scoredPosition = -1;

    public SmileRow(SmileRowMapper mapper, DataViewRow input, bool[] active)
    {
        (_mapper, _input, _active) = (mapper, input, active);
        if (mapper.AddsAny(active))
        {
            _block = new ScoringBlock(mapper.Transformer, input, mapper.InputColumns);
            _getters = mapper.CreateGetters(_block, active, Fetch);
        }
    }

    public override DataViewSchema Schema => _mapper.OutputSchema;

    public override long Position => _input.Position;

    public override long Batch => _input.Batch;

    public override ValueGetter<DataViewRowId> GetIdGetter() => _input.GetIdGetter();

    public override bool IsColumnActive(DataViewSchema.Column column) => _mapper.IsActive(_active, column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        _mapper.RequireActive(_active, column);
        return _mapper.IsPassedThrough(column, out DataViewSchema.Column source)
            ? _input.GetGetter<TValue>(source)
            : SmileRowMapper.Cast<TValue>(_getters[column.Index - _mapper.InputSchema.Count], column);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _input.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Takes the row in once, however many columns are read.</summary>
    private int Fetch()
    {
        if (_input.Position != _scoredPosition || _scoredPosition < 0)
        {
            _scoredPosition = -1;
            _block!.Clear(capacity: 1);
            _block.Add();
            _scoredPosition = _input.Position;
        }

        return 0;
    }
}
