namespace Microsoft.ML.Data;

/// <summary>A transformer bound to a schema: every output column and what it is made from.</summary>
internal sealed class RowMapper : IRowToRowMapper
{
    private readonly MappedColumn[] _columns;

    public RowMapper(DataViewSchema inputSchema, IEnumerable<MappedColumn> columns)
    {
        InputSchema = inputSchema;
        _columns = [.. columns];
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(_columns.Select(column => column.Column));
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    /// <summary>All input columns and a new one: right behind the column that it hides, else at the end.</summary>
    public static RowMapper Adding(DataViewSchema inputSchema, MappedColumn added)
    {
        var columns = inputSchema.Select(MappedColumn.PassThrough).ToList();
        columns.Insert(inputSchema.GetColumnOrNull(added.Column.Name)?.Index + 1 ?? columns.Count, added);
        return new(inputSchema, columns);
    }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        => [.. dependingColumns.SelectMany(column => _columns[column.Index].Sources).Distinct().Order().Select(index => InputSchema[index])];

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
        => input.Schema == InputSchema
            ? new MappedRow(this, input, ActiveColumns.Flags(OutputSchema, activeColumns))
            : throw new ArgumentException("The row's schema is not the one that the mapper is bound to.", nameof(input));

    public ValueGetter<TValue> GetGetter<TValue>(DataViewRow input, DataViewSchema.Column column)
    {
        var mapped = _columns[column.Index];
        return mapped.CreateGetter is null
            ? input.GetGetter<TValue>(InputSchema[mapped.Sources[0]])
            : mapped.CreateGetter(input) as ValueGetter<TValue> ?? throw Getters.WrongType(typeof(TValue), column);
    }
}
