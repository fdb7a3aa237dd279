namespace Microsoft.ML.Data;

/// <summary>A row class as a source of columns.</summary>
internal sealed class RowClass<TRow>
    where TRow : class
{
    private readonly (RowMember Member, MemberConversion Conversion)[] _columns;

    public RowClass(SchemaDefinition definition)
    {
        definition ??= SchemaDefinition.Create(typeof(TRow), SchemaDefinition.Direction.Read);
        var builder = new DataViewSchema.Builder();
        _columns = new (RowMember, MemberConversion)[definition.Count];
        for (int i = 0; i < _columns.Length; i++)
        {
            var column = definition[i];
            var member = RowMember.Find(typeof(TRow), column.MemberName);
            var type = column.ColumnType ?? member.InferColumnType();
            var conversion = MemberConversion.Create(member.Type, type)
                ?? throw new ArgumentOutOfRangeException(
                    nameof(definition), $"The column '{column.ColumnName}' of type {type} cannot be made from the member '{column.MemberName}' of type {member.Type}.");
            _columns[i] = (member, conversion);
            builder.AddColumn(column.ColumnName ?? column.MemberName, type, column.Annotations);
        }
        Schema = builder.ToSchema();
    }

    public DataViewSchema Schema { get; }

    public Delegate CreateGetter(int column, Func<TRow> current)
        => KeyMembers.ToRaw(_columns[column].Conversion.CreateGetter(_columns[column].Member, current), Schema[column].Type);
}
