namespace Microsoft.ML.Transforms;

internal static class SchemaShapeExtensions
{
    /// <summary>The shape with a column added, or in the place of the one that has its name.</summary>
    public static SchemaShape With(this SchemaShape shape, SchemaShape.Column added)
        => shape.TryFindColumn(added.Name, out _)
            ? new(shape.Select(column => column.Name == added.Name ? added : column))
            : new(shape.Append(added));
}
