using Microsoft.ML;

namespace Smile.ML;

/// <summary>Holds values of one type for the rows of a block.</summary>
/// <typeparam name="T">The values' type.</typeparam>
internal sealed class BufferedColumn<T> : BufferedColumn
{
    private readonly ValueGetter<T> _source;
    private T[] _values = new T[1];

    /// <summary>Creates the buffer.</summary>
    /// <param name="source">Gets the value of the source's current row.</param>
    /// <param name="copy">Copies a held value to a caller, who may change the copy.</param>
    /// <param name="currentRow">Gets the block's row to read; throws where there is none.</param>
    public BufferedColumn(ValueGetter<T> source, Copier copy, Func<int> currentRow)
    {
        _source = source;
        Getter = (ValueGetter<T>)((ref T value) => copy(ref _values[currentRow()], ref value));
    }

    /// <summary>Copies a held value.</summary>
    public delegate void Copier(ref T held, ref T value);

    public override Delegate Getter { get; }

    public override void Fetch(int row)
    {
        if (row == _values.Length)
        {
            Array.Resize(ref _values, 2 * row);
        }

        _source(ref _values[row]);
    }
}
