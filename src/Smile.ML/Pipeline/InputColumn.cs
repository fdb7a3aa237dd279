using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using static Microsoft.ML.SchemaShape.Column;

namespace Smile.ML;

/// <summary>
/// An input of the network and the column that feeds it: values of a fixed shape from a vector of <see cref="float"/>, or one integer per
/// token from a vector of integers, of known or unknown size.
/// </summary>
internal sealed class InputColumn
{
    // A type's own text doesn't say so, and a forgotten [VectorType] is the common cause.
    private const string UnknownSize = " of unknown size";

    private static readonly DataViewType[] TokenTypes = [NumberDataViewType.Int64, NumberDataViewType.Int32, NumberDataViewType.UInt32];

    /// <summary>Maps an input to a column.</summary>
    /// <exception cref="SmileException">The name is empty, or no column can feed such an input.</exception>
    public InputColumn(NetworkPort port, string name)
    {
        if (string.IsNullOrEmpty(name))
        {
            throw new SmileException($"The column for the network's input {port.Name} is \"\"; expected a name.");
        }

        HoldsTokens = port.Type == TensorType.I64;
        if (HoldsTokens ? port.Shape is not [-1] : port.Type != TensorType.F32 || port.Shape.Contains(-1))
        {
            throw new SmileException($"The network's input is {port.Describe()}; a pipeline feeds F32 inputs of fixed shape and I64 inputs [tokens].");
        }

        (Port, Name) = (port, name);
    }

    /// <summary>Gets the network's input.</summary>
    public NetworkPort Port { get; }

    /// <summary>Gets the column's name.</summary>
    public string Name { get; }

    /// <summary>Gets a value indicating whether a row holds one integer per token.</summary>
    public bool HoldsTokens { get; }

    /// <summary>Gets the number of values that a row must have; null where it varies.</summary>
    public int? Size => HoldsTokens ? null : Port.FixedSize();

    /// <summary>Checks a promised column.</summary>
    /// <exception cref="SmileException">It is missing or can't be of the network's type.</exception>
    public void Check(IReadOnlyDictionary<string, SchemaShape.Column> columns)
    {
        if (!columns.TryGetValue(Name, out SchemaShape.Column found))
        {
            throw Missing(columns.Keys);
        }

        if (found.IsKey || !Takes(found.ItemType) || !(found.Kind == VectorKind.Vector || (HoldsTokens && found.Kind == VectorKind.VariableVector)))
        {
            throw Mismatch($"is {Describe(found)}");
        }
    }

    /// <summary>Finds the column.</summary>
    /// <exception cref="SmileException">It is missing or not of the network's type.</exception>
    public DataViewSchema.Column Find(DataViewSchema schema)
    {
        DataViewSchema.Column column = schema.GetColumnOrNull(Name)
            ?? throw Missing(schema.Where(column => !column.IsHidden).Select(column => column.Name));
        return column.Type is VectorDataViewType type && Takes(type.ItemType) && (HoldsTokens || (type.Size == Size && HasAxes(type)))
            ? column
            : throw Mismatch($"is {column.Type}{(column.Type is VectorDataViewType { IsKnownSize: false } ? UnknownSize : "")}");
    }

    /// <summary>Makes a buffer for rows of a cursor.</summary>
    public InputBuffer CreateBuffer(DataViewRow source, DataViewSchema.Column column)
    {
        Type type = ((VectorDataViewType)column.Type).ItemType.RawType;
        return !HoldsTokens ? new ValueInputBuffer(this, source.GetGetter<VBuffer<float>>(column))
            : type == typeof(long) ? TokenInputBuffer.Create<long>(this, source, column)
            : type == typeof(int) ? TokenInputBuffer.Create<int>(this, source, column)
            : TokenInputBuffer.Create<uint>(this, source, column);
    }

    private static string Describe(SchemaShape.Column column)
    {
        string item = column.IsKey ? $"Key<{column.ItemType}>" : $"{column.ItemType}";
        return column.Kind switch
        {
            VectorKind.Scalar => item,
            VectorKind.Vector => $"Vector<{item}>",
            _ => $"Vector<{item}>{UnknownSize}",
        };
    }

    /// <summary>Tells whether a vector's axes, where it has several, are the network's: an image with its channels last is another image.</summary>
    private bool HasAxes(VectorDataViewType type)
        => type.Dimensions.Length == 1 || Port.Shape.Count == 1 || type.Dimensions.SkipWhile(d => d == 1).SequenceEqual(Port.Shape.SkipWhile(d => d == 1));

    private bool Takes(DataViewType item) => HoldsTokens ? Array.Exists(TokenTypes, type => type.Equals(item)) : NumberDataViewType.Single.Equals(item);

    private SmileException Missing(IEnumerable<string> columns) => Mismatch("is missing", $" The columns are {string.Join(", ", columns)}.");

    private SmileException Mismatch(string found, string more = "")
    {
        string expected = HoldsTokens
            ? $"a vector of {string.Join(", ", TokenTypes[..^1].AsEnumerable())} or {TokenTypes[^1]}, one value per token"
            : $"{Port.VectorType()}, {Size} values";
        return new SmileException($"Column {Name} {found}; expected {expected}, for the network's {Port.Name}.{more}");
    }
}
