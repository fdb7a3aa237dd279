namespace Microsoft.ML.Transforms;

internal static class SchemaShapeExtensions
{
    /// <summary>The shape with a column added, or replaced if it has one of the name.</summary>
    public static SchemaShape With(this SchemaShape shape, SchemaShape.Column added)
        => new([.. shape.Where(column => column.Name != added.Name), added]);
}
