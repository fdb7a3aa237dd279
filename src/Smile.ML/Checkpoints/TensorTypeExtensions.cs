using System.Diagnostics.CodeAnalysis;

namespace Smile.ML.Checkpoints;

/// <summary>Facts about element types.</summary>
public static class TensorTypeExtensions
{
    private static readonly Dictionary<string, TensorType> TypesByDtypeName =
        Enum.GetValues<TensorType>().ToDictionary(type => type.DtypeName(), StringComparer.Ordinal);

    /// <summary>Gets the dtype names of all element types, as error messages list them.</summary>
    internal static string AllDtypeNames { get; } = string.Join(", ", TypesByDtypeName.Keys);

    /// <summary>Gets the bytes that one element takes.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>1, 2, 4 or 8.</returns>
    public static int Size(this TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 => 8,
        TensorType.F32 or TensorType.I32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 => 2,
        _ => 1,
    };

    /// <summary>Tells whether the elements are floating-point numbers.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>True for F64, F32, F16 and BF16.</returns>
    public static bool IsFloatingPoint(this TensorType type)
        => type is TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16;

    /// <summary>Gets the name that a safetensors header gives the type.</summary>
    /// <param name="type">The element type.</param>
    /// <returns>The enumeration's own name, upper-case: <c>F32</c>, <c>BOOL</c>.</returns>
    public static string DtypeName(this TensorType type) => type.ToString().ToUpperInvariant();

    /// <summary>Finds the type that a safetensors header calls <paramref name="dtypeName"/>.</summary>
    internal static bool TryParseDtype([NotNullWhen(true)] string? dtypeName, out TensorType type)
    {
        type = default;
        return dtypeName is not null && TypesByDtypeName.TryGetValue(dtypeName, out type);
    }
}
