namespace Microsoft.ML.Data;

/// <summary>The values that keys stand for.</summary>
internal abstract class KeyValues(PrimitiveDataViewType type, int count)
{
    public PrimitiveDataViewType Type => type;

    public KeyDataViewType KeyType { get; } = new(typeof(uint), count);

    public static IEqualityComparer<T> Equality<T>()
        => typeof(T) == typeof(ReadOnlyMemory<char>) ? (IEqualityComparer<T>)(object)TextComparer.Instance : EqualityComparer<T>.Default;

    public static IComparer<T> Order<T>()
        => typeof(T) == typeof(ReadOnlyMemory<char>) ? (IComparer<T>)(object)TextComparer.Instance : Comparer<T>.Default;

    /// <summary>Whether a value has no key: the empty text, NaN.</summary>
    public static bool IsMissing<T>(T value) => value switch
    {
        ReadOnlyMemory<char> text => text.IsEmpty,
        float number => float.IsNaN(number),
        double number => double.IsNaN(number),
        _ => false,
    };

    /// <summary>What the missing key stands for.</summary>
    public static T Missing<T>() => default(T) switch
    {
        float => (T)(object)float.NaN,
        double => (T)(object)double.NaN,
        _ => default,
    };

    /// <summary>The KeyValues annotation.</summary>
    public abstract DataViewSchema.Annotations ToAnnotations();

    /// <summary>A getter of the key of a column's value.</summary>
    public abstract Delegate CreateKeyGetter(DataViewRow row, DataViewSchema.Column column);

    public abstract void Write(BinaryWriter writer);
}
