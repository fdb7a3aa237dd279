using Microsoft.ML.Data;

namespace Microsoft.ML;

public abstract class PredictionEngineBase<TSrc, TDst> : IDisposable
    where TSrc : class
    where TDst : class, new()
{
    private readonly InputRow<TSrc> _inputRow;
    private readonly Action<TDst> _fill;
    private readonly ITransformer _transformer;
    private readonly bool _ownsTransformer;
    private bool _isDisposed;

    private protected PredictionEngineBase(ITransformer transformer, PredictionEngineOptions options)
    {
        if (!transformer.IsRowToRowMapper)
        {
            throw new ArgumentOutOfRangeException(nameof(transformer), "Must be a row to row mapper");
        }
        (_transformer, _ownsTransformer) = (transformer, options.OwnsTransformer);
        _inputRow = new InputRow<TSrc>(new RowClass<TSrc>(options.InputSchemaDefinition));
        var mapper = transformer.GetRowToRowMapper(_inputRow.Schema);
        OutputSchema = transformer.GetOutputSchema(_inputRow.Schema);
        var filler = new RowFiller<TDst>(mapper.OutputSchema, options.IgnoreMissingColumns, options.OutputSchemaDefinition);
        _fill = filler.Bind(mapper.GetRow(_inputRow, mapper.OutputSchema));
    }

    public DataViewSchema OutputSchema { get; }

    public TDst Predict(TSrc example)
    {
        var prediction = new TDst();
        Predict(example, ref prediction);
        return prediction;
    }

    public abstract void Predict(TSrc example, ref TDst prediction);

    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }
        _inputRow.Dispose();
        if (_ownsTransformer)
        {
            (_transformer as IDisposable)?.Dispose();
        }
        _isDisposed = true;
        GC.SuppressFinalize(this);
    }

    private protected void ExtractValues(TSrc example) => _inputRow.MoveTo(example);

    private protected void FillValues(TDst prediction) => _fill(prediction);
}
