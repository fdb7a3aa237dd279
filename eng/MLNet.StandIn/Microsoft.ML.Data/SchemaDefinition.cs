using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>Which members of a row class are columns, under which names and types.</summary>
public sealed partial class SchemaDefinition : List<SchemaDefinition.Column>
{
    private SchemaDefinition()
    {
    }

    [Flags]
    public enum Direction
    {
        Read = 1,
        Write = 2,
        Both = Read | Write,
    }

    public Column this[string columnName]
    {
        get => Find(column => column.ColumnName == columnName);
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.ColumnName != columnName)
            {
                throw new ArgumentOutOfRangeException(nameof(columnName), $"The column is named '{value.ColumnName}', not '{columnName}'.");
            }
            int index = FindIndex(column => column.ColumnName == columnName);
            if (index < 0)
            {
                Add(value);
            }
            else
            {
                this[index] = value;
            }
        }
    }

    /// <summary>A column for every public field, and every property that can be read or written as the direction asks.</summary>
    public static SchemaDefinition Create(Type userType, Direction direction = Direction.Both)
    {
        var definition = new SchemaDefinition();
        foreach (var member in RowMember.Of(userType, direction))
        {
            string name = member.Info.GetCustomAttribute<ColumnNameAttribute>()?.Name ?? member.Info.Name;
            if (definition[name] is not null)
            {
                throw new ArgumentOutOfRangeException(nameof(userType), $"Two members of {userType} are the column '{name}'.");
            }
            definition.Add(new Column(member.Info.Name, member.InferColumnType(), name));
        }
        return definition;
    }
}
