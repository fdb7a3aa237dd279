using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Smile.ML;

/// <summary>Holds the values of a passed-through column for the rows of a block.</summary>
internal abstract class BufferedColumn
{
    private static readonly MethodInfo CreateScalarMethod = Method(nameof(CreateScalar));
    private static readonly MethodInfo CreateVectorMethod = Method(nameof(CreateVector));

    /// <summary>Gets the getter of the current row's value.</summary>
    public abstract Delegate Getter { get; }

    /// <summary>Buffers a column of the source.</summary>
    /// <param name="source">The source's cursor.</param>
    /// <param name="column">The column, of a primitive type or a vector.</param>
    /// <param name="currentRow">Gets the block's row to read; throws where there is none.</param>
    public static BufferedColumn Create(DataViewRowCursor source, DataViewSchema.Column column, Func<int> currentRow)
    {
        (MethodInfo create, Type type) = column.Type is VectorDataViewType vector
            ? (CreateVectorMethod, vector.ItemType.RawType)
            : (CreateScalarMethod, column.Type.RawType);
        return (BufferedColumn)create.MakeGenericMethod(type)
            .Invoke(null, BindingFlags.DoNotWrapExceptions, null, [source, column, currentRow], null)!;
    }

    /// <summary>Takes the source's current value in.</summary>
    /// <param name="row">The block's row to put it in.</param>
    public abstract void Fetch(int row);

    private static MethodInfo Method(string name) => typeof(BufferedColumn).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;

    private static BufferedColumn<T> CreateScalar<T>(DataViewRowCursor source, DataViewSchema.Column column, Func<int> currentRow)
        => new(source.GetGetter<T>(column), (ref T held, ref T value) => value = held, currentRow);

    private static BufferedColumn<VBuffer<T>> CreateVector<T>(DataViewRowCursor source, DataViewSchema.Column column, Func<int> currentRow)
        => new(source.GetGetter<VBuffer<T>>(column), (ref VBuffer<T> held, ref VBuffer<T> value) => held.CopyTo(ref value), currentRow);
}
