namespace Microsoft.ML.Data;

internal static class SchemaErrors
{
    public static ArgumentOutOfRangeException Mismatch(string column, string expected, string found)
        => new("inputSchema", $"Schema mismatch for input column '{column}': expected {expected}, got {found}");

    /// <summary>The column that a transformer's input needs.</summary>
    public static DataViewSchema.Column Find(this DataViewSchema schema, string name) => schema.GetColumnOrNull(name) ?? throw Missing(name);

    /// <summary>The column that an estimator's input needs.</summary>
    public static SchemaShape.Column Find(this SchemaShape shape, string name)
        => shape.TryFindColumn(name, out var column) ? column : throw Missing(name);

    private static ArgumentOutOfRangeException Missing(string name) => new("inputSchema", $"Could not find input column '{name}'");
}
