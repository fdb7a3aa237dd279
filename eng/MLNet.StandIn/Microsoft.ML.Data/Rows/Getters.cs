using System.Reflection;

namespace Microsoft.ML.Data;

/// <summary>Getters of columns whose type is known only at run time, and what every row throws at a wrong call.</summary>
internal static class Getters
{
    private static readonly MethodInfo TypedOf = typeof(Getters).GetMethod(nameof(TypedGetter), BindingFlags.Static | BindingFlags.NonPublic);
    private static readonly MethodInfo TypedBoxed = typeof(Getters).GetMethod(nameof(BoxedGetter), BindingFlags.Static | BindingFlags.NonPublic);

    public static InvalidOperationException WrongType(Type asked, DataViewSchema.Column column)
        => new($"Invalid TValue in GetGetter: '{asked}', but the column '{column.Name}' is of type {column.Type}.");

    public static ArgumentOutOfRangeException Inactive(DataViewSchema.Column column)
        => new(nameof(column), $"The column '{column.Name}' is not active.");

    /// <summary>The column's ValueGetter.</summary>
    public static Delegate Of(DataViewRow row, DataViewSchema.Column column)
        => TypedOf.MakeGenericMethod(column.Type.RawType).CreateDelegate<Func<DataViewRow, DataViewSchema.Column, Delegate>>()(row, column);

    /// <summary>A function that fetches the value as a new object.</summary>
    public static Func<object> Boxed(Delegate valueGetter)
        => TypedBoxed.MakeGenericMethod(valueGetter.GetType().GetGenericArguments()).CreateDelegate<Func<Delegate, Func<object>>>()(valueGetter);

    private static Delegate TypedGetter<T>(DataViewRow row, DataViewSchema.Column column) => row.GetGetter<T>(column);

    private static Func<object> BoxedGetter<T>(Delegate valueGetter)
    {
        var getter = (ValueGetter<T>)valueGetter;
        return () =>
        {
            T value = default;
            getter(ref value);
            return value;
        };
    }
}
