namespace Microsoft.ML.Data;

/// <summary>Mappers, one after the other.</summary>
internal sealed class CompositeRowToRowMapper(DataViewSchema inputSchema, IReadOnlyList<IRowToRowMapper> mappers) : IRowToRowMapper
{
    public DataViewSchema InputSchema => inputSchema;

    public DataViewSchema OutputSchema => mappers.Count == 0 ? inputSchema : mappers[^1].OutputSchema;

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        => mappers.Reverse().Aggregate(dependingColumns, (columns, mapper) => mapper.GetDependencies(columns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        if (input.Schema != inputSchema)
        {
            throw new ArgumentException("The row's schema is not the one that the mapper is bound to.", nameof(input));
        }
        var activeOutputs = new IEnumerable<DataViewSchema.Column>[mappers.Count];
        for (int i = mappers.Count - 1; i >= 0; i--)
        {
            activeOutputs[i] = activeColumns;
            activeColumns = mappers[i].GetDependencies(activeColumns);
        }
        return mappers.Zip(activeOutputs).Aggregate(input, (row, step) => step.First.GetRow(row, step.Second));
    }
}
