using System.Numerics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>Rows with one integer per token, each of its own length.</summary>
internal sealed class TokenInputBuffer : InputBuffer
{
    private readonly InputColumn _column;
    private readonly Func<long[]> _readRow;
    private readonly List<long[]> _rows = [];

    private TokenInputBuffer(InputColumn column, Func<long[]> readRow) => (_column, _readRow) = (column, readRow);

    /// <summary>Makes a buffer for a column of integers.</summary>
    /// <typeparam name="T">The column's integers.</typeparam>
    public static TokenInputBuffer Create<T>(InputColumn input, DataViewRow source, DataViewSchema.Column column)
        where T : IBinaryInteger<T>
    {
        ValueGetter<VBuffer<T>> getRow = source.GetGetter<VBuffer<T>>(column);
        VBuffer<T> row = default;
        return new TokenInputBuffer(input, () =>
        {
            getRow(ref row);
            return [.. row.DenseValues().Select(long.CreateChecked)];
        });
    }

    /// <summary>Gets a row's integers, one per token.</summary>
    public ReadOnlySpan<long> this[int row] => _rows[row];

    public override void Clear(int capacity) => _rows.Clear();

    public override void Fetch()
    {
        long[] row = _readRow();
        _rows.Add(row.Length > 0
            ? row
            : throw new SmileException($"Column {_column.Name} has a row without values; expected at least one token for the network's {_column.Port.Name}."));
    }

    public override HostTensor Gather(IReadOnlyList<int> rows, int length, int padding)
    {
        var values = new long[checked(rows.Count * length)];
        Array.Fill(values, padding);
        for (int i = 0; i < rows.Count; i++)
        {
            _rows[rows[i]].CopyTo(values, i * length);
        }

        return HostTensor.FromIntegers([rows.Count, length], values);
    }
}
