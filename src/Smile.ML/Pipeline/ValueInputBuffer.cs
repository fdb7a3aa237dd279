using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>Rows of float values of a fixed shape.</summary>
internal sealed class ValueInputBuffer(InputColumn column, ValueGetter<VBuffer<float>> getRow) : InputBuffer
{
    private readonly int _size = column.Port.FixedSize();
    private float[] _values = [];
    private int _rows;
    private VBuffer<float> _row;

    public override void Clear(int capacity)
    {
        _rows = 0;
        if (_values.Length != capacity * _size)
        {
            _values = new float[checked(capacity * _size)];
        }
    }

    public override void Fetch()
    {
        getRow(ref _row);
        if (_row.Length != _size)
        {
            throw new SmileException($"Column {column.Name} has a row of {_row.Length} values; expected {_size}.");
        }

        _row.CopyTo(_values.AsSpan(_rows * _size, _size));
        _rows++;
    }

    public override HostTensor Gather(IReadOnlyList<int> rows, int length, int padding)
    {
        float[] values = _values;
        if (rows.Count * _size < values.Length)
        {
            values = new float[rows.Count * _size];
            for (int i = 0; i < rows.Count; i++)
            {
                _values.AsSpan(rows[i] * _size, _size).CopyTo(values.AsSpan(i * _size));
            }
        }

        return HostTensor.FromFloats([rows.Count, .. column.Port.Shape], values);
    }
}
