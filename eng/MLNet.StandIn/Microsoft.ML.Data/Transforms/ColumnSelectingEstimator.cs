using Microsoft.ML.Data;

namespace Microsoft.ML.Transforms;

public sealed class ColumnSelectingEstimator : TrivialEstimator<ColumnSelectingTransformer>
{
    internal ColumnSelectingEstimator(string[] columnNames, bool keep, bool keepHidden)
        : base(new ColumnSelectingTransformer(columnNames, keep, keepHidden))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        foreach (string name in Transformer.ColumnNames)
        {
            inputSchema.Find(name);
        }
        return new(inputSchema.Where(column => Transformer.ColumnNames.Contains(column.Name) == Transformer.Keep));
    }
}
