namespace Microsoft.ML.Data;

/// <summary>The primitive types that are not keys, by raw type.</summary>
internal static class PrimitiveTypes
{
    public static IReadOnlyList<PrimitiveDataViewType> All { get; } =
    [
        NumberDataViewType.SByte, NumberDataViewType.Byte, NumberDataViewType.Int16, NumberDataViewType.UInt16,
        NumberDataViewType.Int32, NumberDataViewType.UInt32, NumberDataViewType.Int64, NumberDataViewType.UInt64,
        NumberDataViewType.Single, NumberDataViewType.Double, TextDataViewType.Instance, BooleanDataViewType.Instance,
        DateTimeDataViewType.Instance, TimeSpanDataViewType.Instance, RowIdDataViewType.Instance,
    ];

    private static readonly Dictionary<Type, PrimitiveDataViewType> ByRawType = All.ToDictionary(type => type.RawType);

    public static PrimitiveDataViewType OrNull(Type rawType) => ByRawType.GetValueOrDefault(rawType);
}
