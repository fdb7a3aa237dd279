namespace Smile.ML.Networks;

/// <summary>A linear layer as an architecture declares it.</summary>
/// <param name="Name">Its name: the weight is the tensor <c>Name.weight</c>, the bias <c>Name.bias</c>.</param>
/// <param name="Outputs">Output features.</param>
/// <param name="Inputs">Input features.</param>
/// <param name="HasBias">Whether it has a bias.</param>
public sealed record LinearLayerInfo(string Name, int Outputs, int Inputs, bool HasBias);
