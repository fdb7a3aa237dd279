using System.Collections;
using Microsoft.ML.Data;

namespace Microsoft.ML;

/// <summary>What is known of a schema before there is data: names and kinds of columns, not sizes.</summary>
public sealed partial class SchemaShape : IReadOnlyList<SchemaShape.Column>
{
    private static readonly SchemaShape Empty = new([]);

    private readonly Column[] _columns;

    public SchemaShape(IEnumerable<Column> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        _columns = [.. columns];
        if (_columns.Any(column => !column.IsValid))
        {
            throw new ArgumentOutOfRangeException(nameof(columns), "Some items are not initialized properly.");
        }
    }

    public int Count => _columns.Length;

    public Column this[int index] => _columns[index];

    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal static SchemaShape Create(DataViewSchema schema)
    {
        ArgumentNullException.ThrowIfNull(schema);
        return new(schema.Where(column => !column.IsHidden).Select(column => ShapeOf(column, Create(column.Annotations.Schema))));
    }

    internal bool TryFindColumn(string name, out Column column)
    {
        column = _columns.FirstOrDefault(column => column.Name == name);
        return column.IsValid;
    }

    private static Column ShapeOf(DataViewSchema.Column column, SchemaShape annotations)
    {
        var vector = column.Type as VectorDataViewType;
        var kind = vector switch
        {
            null => Column.VectorKind.Scalar,
            { IsKnownSize: true } => Column.VectorKind.Vector,
            _ => Column.VectorKind.VariableVector,
        };
        DataViewType item = vector?.ItemType ?? column.Type;
        bool isKey = item is KeyDataViewType;
        return new(column.Name, kind, isKey ? PrimitiveTypes.OrNull(item.RawType) : item, isKey, annotations);
    }
}
