namespace Microsoft.ML.Data;

/// <summary>A row class as a destination of columns.</summary>
internal sealed class RowFiller<TRow>
    where TRow : class
{
    private readonly (RowMember Member, MemberConversion Conversion, DataViewSchema.Column Column)[] _columns;

    /// <exception cref="ArgumentOutOfRangeException">The schema lacks a column, and missing ones are not to be ignored.</exception>
    /// <exception cref="InvalidOperationException">A member cannot hold its column.</exception>
    public RowFiller(DataViewSchema schema, bool ignoreMissingColumns, SchemaDefinition definition)
    {
        definition ??= SchemaDefinition.Create(typeof(TRow), SchemaDefinition.Direction.Write);
        var columns = new List<(RowMember, MemberConversion, DataViewSchema.Column)>();
        foreach (var wanted in definition)
        {
            if (schema.GetColumnOrNull(wanted.ColumnName) is not { } column)
            {
                if (!ignoreMissingColumns)
                {
                    throw new ArgumentOutOfRangeException(nameof(schema), $"Could not find column '{wanted.ColumnName}'");
                }
                continue;
            }
            var member = RowMember.Find(typeof(TRow), wanted.MemberName);
            var conversion = MemberConversion.Create(member.Type, column.Type)
                ?? throw new InvalidOperationException(
                    $"Can't bind the IDataView column '{column.Name}' of type '{column.Type}' to field or property '{wanted.MemberName}' of type '{member.Type}'.");
            columns.Add((member, conversion, column));
        }
        _columns = [.. columns];
    }

    public IEnumerable<DataViewSchema.Column> Columns => _columns.Select(column => column.Column);

    /// <summary>An action that writes the row's current values to an object.</summary>
    public Action<TRow> Bind(DataViewRow row)
    {
        Action<TRow>[] setters = [.. _columns.Select(column => column.Conversion.CreateSetter<TRow>(column.Member, row, column.Column))];
        return target =>
        {
            foreach (var set in setters)
            {
                set(target);
            }
        };
    }
}
