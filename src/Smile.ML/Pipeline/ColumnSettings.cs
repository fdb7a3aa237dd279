using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>What a user, or a saved pipeline, says about the columns.</summary>
/// <param name="InputName">The column for the network's first required input, unless <paramref name="Inputs"/> names another.</param>
/// <param name="Inputs">The columns of further inputs, by the inputs' names.</param>
/// <param name="OutputName">The column for the network's output.</param>
/// <param name="NetworkOutput">The network output to take; the first where null.</param>
/// <param name="Pooling">How to make one vector of an output per token; null leaves it as it is.</param>
/// <param name="Heads">The task heads.</param>
/// <param name="Generation">The column of generated token ids; null for none.</param>
internal sealed record ColumnSettings(
    string InputName,
    IReadOnlyDictionary<string, string> Inputs,
    string OutputName,
    string? NetworkOutput,
    TokenPooling? Pooling,
    IReadOnlyList<TaskHead> Heads,
    GenerationSettings? Generation = null);
