using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>One operation at one size, compared with its formula in float64.</summary>
/// <param name="Name">What is run.</param>
/// <param name="UsesPrecision">Whether it depends on the precision of matrix products.</param>
/// <param name="Run">Runs it with that precision on a backend that was created with it.</param>
internal sealed record OperationCase(string Name, bool UsesPrecision, Action<Backend, MatrixPrecision> Run)
{
    /// <summary>Gets all cases.</summary>
    public static IReadOnlyList<OperationCase> All { get; } =
    [
        .. ProductCases.All, .. RoutingCases.All, .. ExpertCases.All, .. RowCases.All, .. AttentionCases.All,
    ];

    /// <summary>Gets some that reach every kernel and every shape of tile, for tools under which work takes long.</summary>
    public static IReadOnlyList<OperationCase> Quick { get; } =
    [
        .. ProductCases.All.Take(6), .. RoutingCases.All.Take(2), .. ExpertCases.All.Take(4), .. RowCases.All, .. AttentionCases.All.Take(5),
    ];

    public override string ToString() => Name;
}
