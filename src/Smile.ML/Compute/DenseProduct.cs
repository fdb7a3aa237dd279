namespace Smile.ML.Compute;

/// <summary>One product of a <see cref="Backend.Multiply"/> call: Result [rows, outputs] = input W^T + bias.</summary>
/// <param name="Weights">W [outputs, inputs] and its bias.</param>
/// <param name="Result">Receives the product; overwritten.</param>
internal readonly record struct DenseProduct(DenseWeights Weights, Tensor Result);
