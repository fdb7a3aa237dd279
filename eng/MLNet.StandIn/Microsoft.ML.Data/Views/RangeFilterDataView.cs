namespace Microsoft.ML.Data;

/// <summary>The rows whose value in one column lies in a half-open range; never those where it is NaN.</summary>
internal sealed class RangeFilterDataView : IDataView
{
    private readonly IDataView _source;
    private readonly DataViewSchema.Column _column;
    private readonly double _lower, _upper;

    public RangeFilterDataView(IDataView source, string columnName, double lower, double upper)
    {
        (_source, _column, _lower, _upper) = (source, source.Schema[columnName], lower, upper);
        if (_column.Type != NumberDataViewType.Single && _column.Type != NumberDataViewType.Double)
        {
            throw new ArgumentOutOfRangeException(nameof(columnName), $"The column '{columnName}' is of type {_column.Type}; expected Single or Double.");
        }
    }

    public bool CanShuffle => _source.CanShuffle;

    public DataViewSchema Schema => _source.Schema;

    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random rand = null)
        => new Cursor(this, _source.GetRowCursor(columnsNeeded.Append(_column), rand));

    public DataViewRowCursor[] GetRowCursorSet(IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random rand = null)
        => Array.ConvertAll(_source.GetRowCursorSet(columnsNeeded.Append(_column), n, rand), cursor => new Cursor(this, cursor));

    private ValueGetter<double> CreateGetter(DataViewRow row)
    {
        if (_column.Type == NumberDataViewType.Double)
        {
            return row.GetGetter<double>(_column);
        }
        var getter = row.GetGetter<float>(_column);
        float single = 0;
        return (ref double value) =>
        {
            getter(ref single);
            value = single;
        };
    }

    private sealed class Cursor(RangeFilterDataView view, DataViewRowCursor input) : WrappedCursor(input)
    {
        private readonly ValueGetter<double> _getter = view.CreateGetter(input);
        private long _position = -1;

        public override long Position => _position;

        public override bool MoveNext()
        {
            double value = 0;
            while (Input.MoveNext())
            {
                _getter(ref value);
                if (value >= view._lower && value < view._upper)
                {
                    _position++;
                    return true;
                }
            }
            _position = -1;
            return false;
        }
    }
}
