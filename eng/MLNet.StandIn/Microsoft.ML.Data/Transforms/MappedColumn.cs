namespace Microsoft.ML.Data;

/// <summary>An output column: made by a getter over source columns, or, without one, the first source passed through.</summary>
internal sealed record MappedColumn(DataViewSchema.DetachedColumn Column, int[] Sources, Func<DataViewRow, Delegate> CreateGetter = null)
{
    public static MappedColumn PassThrough(DataViewSchema.Column column) => new(new(column), [column.Index]);
}
