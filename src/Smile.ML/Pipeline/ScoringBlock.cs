using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>
/// Rows that one cursor scores together. The network runs at the first request for any of its columns, once for all of them; a head
/// computes at the first request for one of its own.
/// </summary>
internal sealed class ScoringBlock
{
    private readonly SmileTransformer _transformer;
    private readonly SmileColumns _columns;
    private readonly ClassificationScores[] _heads;
    private float[] _inputs = [];
    private float[]? _outputs;
    private VBuffer<float> _row;

    /// <summary>Creates an empty block.</summary>
    public ScoringBlock(SmileTransformer transformer)
    {
        _transformer = transformer;
        _columns = transformer.Columns;
        _heads = [.. _columns.Heads.Select(head => new ClassificationScores(head))];
    }

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Empties the block, to hold up to a number of rows.</summary>
    public void Clear(int capacity)
    {
        Rows = 0;
        _outputs = null;
        foreach (ClassificationScores head in _heads)
        {
            head.Clear();
        }

        if (_inputs.Length != capacity * _columns.InputSize)
        {
            _inputs = new float[checked(capacity * _columns.InputSize)];
        }
    }

    /// <summary>Adds a row, dense or sparse.</summary>
    /// <exception cref="SmileException">Its vector is not of the column's size.</exception>
    public void Add(ValueGetter<VBuffer<float>> getInput)
    {
        getInput(ref _row);
        if (_row.Length != _columns.InputSize)
        {
            throw new SmileException($"Column {_columns.InputName} has a row of {_row.Length} values; expected {_columns.InputSize}.");
        }

        _row.CopyTo(_inputs.AsSpan(Rows * _columns.InputSize, _columns.InputSize));
        Rows++;
    }

    /// <summary>Makes the getter of an added column.</summary>
    /// <param name="index">The column's index among the added ones.</param>
    /// <param name="currentRow">Gets the block's row to read; throws where there is none.</param>
    public Delegate CreateGetter(int index, Func<int> currentRow)
    {
        if (index == 0)
        {
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                int row = currentRow();
                Copy(Outputs().AsSpan(row * _columns.OutputSize, _columns.OutputSize), ref value);
            });
        }

        int h = (index - 1) / 2;
        ClassificationScores head = _heads[h];
        return index == SmileColumns.ScoreIndex(h)
            ? (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                int row = currentRow();
                Copy(head.Probabilities(Outputs(), row), ref value);
            })
            : (ValueGetter<uint>)((ref uint value) =>
            {
                int row = currentRow();
                value = head.Label(Outputs(), row);
            });
    }

    private float[] Outputs() => _outputs ??= _transformer.Run(_inputs, Rows);

    /// <summary>Fills the caller's buffer; the caller may keep and change what it holds.</summary>
    private static void Copy(ReadOnlySpan<float> values, ref VBuffer<float> destination)
    {
        VBufferEditor<float> editor = VBufferEditor.Create(ref destination, values.Length);
        values.CopyTo(editor.Values);
        destination = editor.Commit();
    }
}
