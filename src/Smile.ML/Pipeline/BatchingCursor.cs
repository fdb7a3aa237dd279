using System.Runtime.ExceptionServices;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>
/// A cursor that reads ahead: it takes a block of rows in, with everything that is passed through, and scores the block together.
/// Blocks grow 1, 2, 4, ... up to the transformer's batch size, so the first rows come soon and a look at a few of them reads few.
/// </summary>
internal sealed class BatchingCursor : DataViewRowCursor
{
    private readonly SmileRowMapper _mapper;
    private readonly DataViewRowCursor _source;
    private readonly bool[] _active;
    private readonly ScoringBlock _block;
    private readonly BufferedColumn?[] _passedThrough;
    private readonly Delegate?[] _added;
    private readonly BufferedColumn<DataViewRowId> _ids;
    private readonly List<long> _batches = [];
    private int _row;
    private int _nextBlockSize = 1;
    private long _position = -1;
    private bool _ended;

    // What reading ahead met; the rows before it come first.
    private ExceptionDispatchInfo? _failure;

    public BatchingCursor(SmileRowMapper mapper, DataViewRowCursor source, bool[] active)
    {
        (_mapper, _source, _active) = (mapper, source, active);
        _block = new ScoringBlock(mapper.Transformer, source, mapper.InputColumns);
        _ids = new BufferedColumn<DataViewRowId>(
            source.GetIdGetter(), (ref DataViewRowId held, ref DataViewRowId value) => value = held, CurrentRow);
        _passedThrough = [.. mapper.InputSchema.Select(column => active[column.Index] ? BufferedColumn.Create(source, column, CurrentRow) : null)];
        _added = mapper.CreateGetters(_block, active, CurrentRow);
    }

    public override DataViewSchema Schema => _mapper.OutputSchema;

    public override long Position => _position;

    public override long Batch => _position < 0 ? 0 : _batches[_row];

    public override ValueGetter<DataViewRowId> GetIdGetter() => (ValueGetter<DataViewRowId>)_ids.Getter;

    public override bool IsColumnActive(DataViewSchema.Column column) => _mapper.IsActive(_active, column);

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        _mapper.RequireActive(_active, column);
        return SmileRowMapper.Cast<TValue>(
            _mapper.IsPassedThrough(column, out DataViewSchema.Column source)
                ? _passedThrough[source.Index]!.Getter
                : _added[column.Index - _mapper.InputSchema.Count],
            column);
    }

    public override bool MoveNext()
    {
        if (_ended)
        {
            return false;
        }

        if (++_row >= _block.Rows && !ReadBlock())
        {
            _ended = true;
            _position = -1;
            _failure?.Throw();
            return false;
        }

        _position++;
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ended = true;
            _position = -1;
            _source.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Takes the next rows in; false where there are none, since all were read or the next can't be.</summary>
    private bool ReadBlock()
    {
        _row = 0;
        _batches.Clear();
        _block.Clear(_nextBlockSize);
        while (_failure is null && _block.Rows < _nextBlockSize && TryReadRow())
        {
        }

        _nextBlockSize = Math.Min(2 * _nextBlockSize, _mapper.Transformer.BatchSize);
        return _block.Rows > 0;
    }

    private bool TryReadRow()
    {
        try
        {
            if (!_source.MoveNext())
            {
                return false;
            }

            int row = _block.Rows;
            foreach (BufferedColumn? column in _passedThrough)
            {
                column?.Fetch(row);
            }

            _ids.Fetch(row);
            _batches.Add(_source.Batch);
            _block.Add();
            return true;
        }
#pragma warning disable CA1031 // Thrown when its row's turn comes
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure = ExceptionDispatchInfo.Capture(e);
            return false;
        }
    }

    private int CurrentRow()
        => _position >= 0 ? _row : throw new InvalidOperationException("The cursor is before the first row or after the last; call MoveNext first.");
}
