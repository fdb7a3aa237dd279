using System.Collections;

namespace Microsoft.ML;

/// <summary>The columns of a view. A column hides earlier ones of the same name. Two schemas are equal only if they are the same object.</summary>
public sealed partial class DataViewSchema : IReadOnlyList<DataViewSchema.Column>
{
    private readonly Column[] _columns;
    private readonly Dictionary<string, int> _indexByName;

    private DataViewSchema(IReadOnlyList<DetachedColumn> columns)
    {
        _indexByName = [];
        for (int i = 0; i < columns.Count; i++)
        {
            _indexByName[columns[i].Name] = i;
        }
        _columns = [.. columns.Select((column, i) =>
            new Column(column.Name, i, _indexByName[column.Name] != i, column.Type, column.Annotations))];
    }

    public int Count => _columns.Length;

    public Column this[string name] => GetColumnOrNull(name)
        ?? throw new ArgumentOutOfRangeException(nameof(name), $"Column '{name}' not found");

    public Column this[int columnIndex] => (uint)columnIndex < (uint)_columns.Length
        ? _columns[columnIndex]
        : throw new ArgumentOutOfRangeException(nameof(columnIndex), columnIndex, $"The schema has {_columns.Length} columns.");

    public Column? GetColumnOrNull(string name)
    {
        ThrowIfNoName(name);
        return _indexByName.TryGetValue(name, out int index) ? _columns[index] : null;
    }

    public IEnumerator<Column> GetEnumerator() => ((IEnumerable<Column>)_columns).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => $"{Count} columns";

    private static void ThrowIfNoName(string name)
    {
        if (string.IsNullOrEmpty(name))
        {
            throw new ArgumentNullException(nameof(name), "A column needs a name.");
        }
    }
}
