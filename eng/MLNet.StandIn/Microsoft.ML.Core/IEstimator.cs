namespace Microsoft.ML;

public interface IEstimator<out TTransformer>
    where TTransformer : ITransformer
{
    TTransformer Fit(IDataView input);

    /// <summary>Promises, without data, the columns that what <see cref="Fit"/> returns will output.</summary>
    SchemaShape GetOutputSchema(SchemaShape inputSchema);
}
