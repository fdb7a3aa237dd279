namespace Microsoft.ML;

/// <summary>Runs one example at a time through a model. Not for use by several threads at once.</summary>
public sealed class PredictionEngine<TSrc, TDst> : PredictionEngineBase<TSrc, TDst>
    where TSrc : class
    where TDst : class, new()
{
    internal PredictionEngine(ITransformer transformer, PredictionEngineOptions options)
        : base(transformer, options)
    {
    }

    public override void Predict(TSrc example, ref TDst prediction)
    {
        ArgumentNullException.ThrowIfNull(example);
        ExtractValues(example);
        if (prediction is null)
        {
            throw new InvalidOperationException("There is no object to write the prediction to.");
        }
        FillValues(prediction);
    }
}
