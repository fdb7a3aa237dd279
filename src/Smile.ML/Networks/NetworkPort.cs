using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>An input or output of a network.</summary>
/// <param name="Name">Its name, as Hugging Face calls it.</param>
/// <param name="Type">F32 for values, I64 for ids and masks.</param>
/// <param name="Shape">The dimensions after the batch; -1 for one that varies with the input.</param>
/// <param name="IsOptional">Whether an input may be left out.</param>
public sealed record NetworkPort(string Name, TensorType Type, IReadOnlyList<int> Shape, bool IsOptional = false)
{
    /// <summary>Gets the optional input without which an output can't be computed; null where there is none.</summary>
    public string? NeededInput { get; init; }
}
