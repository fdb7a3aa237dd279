using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>
/// Rows that one cursor scores together. The network runs at the first request for its output or a classifier's columns, once for all of
/// them; a classifier computes at the first request for one of its own, and ids are generated at the first request for theirs.
/// </summary>
/// <remarks>
/// Rows of tokens run together where their lengths round up to the same multiple of <see cref="LengthStep"/>, padded on the right and
/// masked there: a masked key adds exactly nothing, so that a row's bits are those it has alone. Rows of a network without a mask, or
/// with inputs besides the tokens' own, run together where they have the same lengths.
/// </remarks>
internal sealed class ScoringBlock
{
    /// <summary>Padding costs time; rows that differ by less than this many tokens are worth running at once.</summary>
    private const int LengthStep = 16;

    private readonly SmileTransformer _transformer;
    private readonly SmileColumns _columns;
    private readonly InputBuffer[] _inputs;
    private readonly ClassificationScores[] _classifiers;
    private RowResult<ReadOnlyMemory<float>>[] _outputs = [];
    private RowResult<long[]>[] _generated = [];
    private bool _scored;
    private bool _continued;

    /// <summary>Creates an empty block.</summary>
    /// <param name="transformer">What scores.</param>
    /// <param name="source">The cursor or row to read from.</param>
    /// <param name="inputColumns">Its columns that the network reads.</param>
    public ScoringBlock(SmileTransformer transformer, DataViewRow source, IReadOnlyList<DataViewSchema.Column> inputColumns)
    {
        _transformer = transformer;
        _columns = transformer.Columns;
        _inputs = [.. _columns.Inputs.Select((input, i) => input.CreateBuffer(source, inputColumns[i]))];
        _classifiers = [.. _columns.Classifiers.Select(classifier => new ClassificationScores(classifier))];
    }

    /// <summary>Gets the number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Empties the block, to hold up to a number of rows.</summary>
    public void Clear(int capacity)
    {
        Rows = 0;
        (_scored, _continued) = (false, false);
        foreach (ClassificationScores classifier in _classifiers)
        {
            classifier.Clear();
        }

        foreach (InputBuffer input in _inputs)
        {
            input.Clear(capacity);
        }

        if (_outputs.Length != capacity)
        {
            _outputs = new RowResult<ReadOnlyMemory<float>>[capacity];
            _generated = _columns.Generation is null ? [] : new RowResult<long[]>[capacity];
        }
    }

    /// <summary>Adds the source's current row, dense or sparse.</summary>
    /// <exception cref="SmileException">A vector is not of its column's size, or of another length than the row's tokens.</exception>
    public void Add()
    {
        foreach (InputBuffer input in _inputs)
        {
            input.Fetch();
        }

        if (_columns.PadsTokens)
        {
            CheckLengths();
        }

        Rows++;
    }

    /// <summary>Makes the getter of an added column.</summary>
    /// <param name="index">The column's index among the added ones.</param>
    /// <param name="currentRow">Gets the block's row to read; throws where there is none.</param>
    public Delegate CreateGetter(int index, Func<int> currentRow)
    {
        if (index == 0)
        {
            return (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) => Copy<float>(Output(currentRow()), ref value));
        }

        if (_columns.Generation is not null && index == _columns.Names.Count - 1)
        {
            return (ValueGetter<VBuffer<long>>)((ref VBuffer<long> value) => Copy<long>(Generated(currentRow()), ref value));
        }

        int c = (index - 1) / 2;
        ClassificationScores classifier = _classifiers[c];
        return index == SmileColumns.ScoreIndex(c)
            ? (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                int row = currentRow();
                Copy<float>(classifier.Probabilities(Output(row), row), ref value);
            })
            : (ValueGetter<uint>)((ref uint value) =>
            {
                int row = currentRow();
                value = classifier.Label(Output(row), row);
            });
    }

    /// <summary>Fills the caller's buffer; the caller may keep and change what it holds.</summary>
    private static void Copy<T>(ReadOnlySpan<T> values, ref VBuffer<T> destination)
    {
        VBufferEditor<T> editor = VBufferEditor.Create(ref destination, values.Length);
        values.CopyTo(editor.Values);
        destination = editor.Commit();
    }

    private void CheckLengths()
    {
        int expected = Tokens(0)[Rows].Length;
        for (int i = 1; i < _inputs.Length; i++)
        {
            int found = Tokens(i)[Rows].Length;
            if (found != expected)
            {
                throw new SmileException(
                    $"Column {_columns.Inputs[i].Name} has a row of {found} values; expected {expected}, as many as column {_columns.Inputs[0].Name}.");
            }
        }
    }

    private ReadOnlySpan<float> Output(int row)
    {
        if (!_scored)
        {
            ForEachBatch(_outputs, Score);
            _scored = true;
        }

        return Value(_outputs[row]).Span;
    }

    private ReadOnlySpan<long> Generated(int row)
    {
        if (!_continued)
        {
            ForEachBatch(_generated, rows => _transformer.Generate(Gather(rows), rows.Length));
            _continued = true;
        }

        return Value(_generated[row]);
    }

    private void ForEachBatch<T>(RowResult<T>[] results, Func<int[], T[]> compute)
    {
        foreach (IGrouping<string, int> batch in Enumerable.Range(0, Rows).GroupBy(BatchKey))
        {
            Compute([.. batch], results, compute);
        }
    }

    /// <summary>Computes on rows together. Where that fails, each is tried alone: one that can't be computed is no other's fault.</summary>
    private static void Compute<T>(int[] rows, RowResult<T>[] results, Func<int[], T[]> compute)
    {
        try
        {
            T[] values = compute(rows);
            for (int i = 0; i < rows.Length; i++)
            {
                results[rows[i]] = new RowResult<T>(values[i], null);
            }
        }
        catch (SmileException e) when (rows.Length == 1)
        {
            results[rows[0]] = new RowResult<T>(default, e);
        }
        catch (SmileException)
        {
            foreach (int row in rows)
            {
                Compute([row], results, compute);
            }
        }
    }

    /// <exception cref="SmileException">The row could not be computed.</exception>
    private T Value<T>(RowResult<T> result) => result.Failure is not { } failure
        ? result.Value!
        : throw new SmileException($"The row cannot be scored (column {string.Join(", ", _columns.Inputs.Select(input => input.Name))}): {failure.Message}", failure);

    /// <summary>
    /// Tells by which key a row is gathered with others. A row in which nothing may be seen is never padded: its tokens attend to all alike,
    /// and padding would be among them.
    /// </summary>
    private string BatchKey(int row)
        => _columns.PadsTokens && (_columns.MaskIndex < 0 || Tokens(_columns.MaskIndex)[row].ContainsAnyExcept(0))
            ? ((Tokens(0)[row].Length + LengthStep - 1) / LengthStep).ToString(CultureInfo.InvariantCulture)
            : string.Join(',', _inputs.OfType<TokenInputBuffer>().Select(input => input[row].Length));

    private ReadOnlyMemory<float>[] Score(int[] rows)
    {
        HostTensor output = _transformer.Run(Gather(rows));
        bool perToken = _columns.PadsTokens && _columns.Output.Port.Shape is [-1, ..];
        return [.. rows.Select((row, i) => perToken
            ? _columns.Output.Read(output, i, Tokens(0)[row].Length, _columns.MaskIndex < 0 ? [] : Tokens(_columns.MaskIndex)[row])
            : _columns.Output.Read(output, i, tokens: null, mask: []))];
    }

    /// <summary>Makes the network's inputs of rows that can run together.</summary>
    private Dictionary<string, HostTensor> Gather(int[] rows)
    {
        int longest = _columns.PadsTokens ? rows.Max(row => Tokens(0)[row].Length) : 0;
        var feed = new Dictionary<string, HostTensor>();
        for (int i = 0; i < _inputs.Length; i++)
        {
            InputColumn column = _columns.Inputs[i];
            int length = !column.HoldsTokens ? 0 : _columns.PadsTokens ? longest : Tokens(i)[rows[0]].Length;
            feed[column.Port.Name] = _inputs[i].Gather(rows, length, column.Port.Name == SmileColumns.TokenIds ? _columns.PaddingId : 0);
        }

        if (_columns.PadsTokens && _columns.MaskIndex < 0 && Array.Exists(rows, row => Tokens(0)[row].Length < longest))
        {
            feed[SmileColumns.Mask] = MaskPadding(rows, longest);
        }

        return feed;
    }

    private HostTensor MaskPadding(int[] rows, int longest)
    {
        var mask = new long[rows.Length * longest];
        for (int i = 0; i < rows.Length; i++)
        {
            mask.AsSpan(i * longest, Tokens(0)[rows[i]].Length).Fill(1);
        }

        return HostTensor.FromIntegers([rows.Length, longest], mask);
    }

    private TokenInputBuffer Tokens(int input) => (TokenInputBuffer)_inputs[input];

    /// <summary>What was computed of a row, or why it could not be.</summary>
    private readonly record struct RowResult<T>(T? Value, SmileException? Failure);
}
