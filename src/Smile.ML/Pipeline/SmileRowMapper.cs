using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>A transformer bound to the schema of its input. Immutable.</summary>
internal sealed class SmileRowMapper : IRowToRowMapper
{
    /// <summary>Binds a transformer.</summary>
    /// <exception cref="SmileException">The schema lacks an input column or has one of another type.</exception>
    public SmileRowMapper(SmileTransformer transformer, DataViewSchema inputSchema)
    {
        Transformer = transformer;
        InputSchema = inputSchema;
        InputColumns = transformer.Columns.FindInputs(inputSchema);
        var builder = new DataViewSchema.Builder();
        builder.AddColumns(inputSchema);
        builder.AddColumns(transformer.Columns.Create(inputSchema));
        OutputSchema = builder.ToSchema();
    }

    public DataViewSchema InputSchema { get; }

    public DataViewSchema OutputSchema { get; }

    /// <summary>Gets the transformer.</summary>
    public SmileTransformer Transformer { get; }

    /// <summary>Gets the columns that the network reads.</summary>
    public IReadOnlyList<DataViewSchema.Column> InputColumns { get; }

    public IEnumerable<DataViewSchema.Column> GetDependencies(IEnumerable<DataViewSchema.Column> dependingColumns)
        => GetDependencies(GetActive(dependingColumns));

    public DataViewRow GetRow(DataViewRow input, IEnumerable<DataViewSchema.Column> activeColumns)
    {
        ArgumentNullException.ThrowIfNull(input);
        return input.Schema == InputSchema
            ? new SmileRow(this, input, GetActive(activeColumns))
            : throw new ArgumentException("The row has another schema than the one that the mapper was made for.", nameof(input));
    }

    /// <summary>Tells which columns of the output are asked for, by their indices: of columns with the same name all but the last are hidden.</summary>
    public bool[] GetActive(IEnumerable<DataViewSchema.Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        var active = new bool[OutputSchema.Count];
        foreach (DataViewSchema.Column column in columns)
        {
            RequireKnown(column);
            active[column.Index] = true;
        }

        return active;
    }

    /// <summary>Gets the columns of the input that are needed: those passed through and, for any of the transformer's, the network's.</summary>
    public DataViewSchema.Column[] GetDependencies(bool[] active)
    {
        bool adds = AddsAny(active);
        return [.. InputSchema.Where(column => active[column.Index] || (adds && InputColumns.Any(input => input.Index == column.Index)))];
    }

    /// <summary>Tells whether any of the added columns is asked for.</summary>
    public bool AddsAny(bool[] active) => active.AsSpan(InputSchema.Count).Contains(true);

    /// <summary>Tells whether a column of the output comes from the input, and which it is there.</summary>
    public bool IsPassedThrough(DataViewSchema.Column column, out DataViewSchema.Column source)
    {
        bool passed = column.Index < InputSchema.Count;
        source = passed ? InputSchema[column.Index] : default;
        return passed;
    }

    /// <summary>Makes the getters of the added columns that are asked for, by their indices behind the input's; null for the others.</summary>
    public Delegate?[] CreateGetters(ScoringBlock block, bool[] active, Func<int> currentRow)
        => [.. active.Skip(InputSchema.Count).Select((asked, index) => asked ? block.CreateGetter(index, currentRow) : null)];

    /// <summary>Tells whether a column is among those asked for.</summary>
    /// <exception cref="InvalidOperationException">It is one of another schema.</exception>
    public bool IsActive(bool[] active, DataViewSchema.Column column)
    {
        RequireKnown(column);
        return active[column.Index];
    }

    /// <summary>Makes sure that a column was asked for.</summary>
    /// <exception cref="InvalidOperationException">It was not, or is one of another schema.</exception>
    public void RequireActive(bool[] active, DataViewSchema.Column column)
    {
        if (!IsActive(active, column))
        {
            throw new InvalidOperationException($"Column {column.Name} is not active: it was not among the columns asked for.");
        }
    }

    /// <summary>Gives a getter its type.</summary>
    /// <exception cref="InvalidOperationException">The column's values are of another type.</exception>
    public static ValueGetter<TValue> Cast<TValue>(Delegate? getter, DataViewSchema.Column column)
        => getter as ValueGetter<TValue>
            ?? throw new InvalidOperationException($"Column {column.Name} is {column.Type}; its values can't be read as {typeof(TValue)}.");

    private void RequireKnown(DataViewSchema.Column column)
    {
        if (column.Index >= OutputSchema.Count)
        {
            throw new InvalidOperationException($"Column {column.Name} ({column.Index}) is of another schema; this one has {OutputSchema.Count} columns.");
        }
    }
}
