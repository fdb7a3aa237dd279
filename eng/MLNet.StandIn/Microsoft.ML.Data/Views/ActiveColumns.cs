namespace Microsoft.ML.Data;

internal static class ActiveColumns
{
    public static bool[] Flags(DataViewSchema schema, IEnumerable<DataViewSchema.Column> columns)
    {
        bool[] active = new bool[schema.Count];
        foreach (var column in columns)
        {
            active[column.Index] = true;
        }
        return active;
    }
}
