namespace Microsoft.ML.Data;

public abstract class DataViewType : IEquatable<DataViewType>
{
    private protected DataViewType(Type rawType)
    {
        ArgumentNullException.ThrowIfNull(rawType);
        RawType = rawType;
    }

    /// <summary>The type that getters of such a column fetch.</summary>
    public Type RawType { get; }

    public abstract bool Equals(DataViewType other);
}
