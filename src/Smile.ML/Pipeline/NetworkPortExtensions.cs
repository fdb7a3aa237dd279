using Microsoft.ML.Data;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>Network ports in the words of ML.NET.</summary>
internal static class NetworkPortExtensions
{
    /// <summary>Gets the number of values per row of a port of fixed shape.</summary>
    public static int FixedSize(this NetworkPort port) => port.Shape.Aggregate(1, (size, dimension) => checked(size * dimension));

    /// <summary>Gets the type of a column with a port's values: of unknown size where the port's varies.</summary>
    public static VectorDataViewType VectorType(this NetworkPort port)
    {
        int[] shape = [.. port.Shape];
        return shape.Contains(-1) ? new VectorDataViewType(NumberDataViewType.Single) : new VectorDataViewType(NumberDataViewType.Single, shape);
    }

    /// <summary>Names a port with its type and shape, for messages.</summary>
    public static string Describe(this NetworkPort port)
        => $"{port.Name} ({port.Type} [{string.Join(", ", port.Shape.Select(dimension => dimension < 0 ? "tokens" : $"{dimension}"))}])";
}
