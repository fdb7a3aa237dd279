namespace Smile.ML.Networks;

/// <summary>A linear layer as an architecture declares it.</summary>
/// <param name="Name">Its name: the weight is the tensor <c>Name.weight</c>, unless it is tied, the bias <c>Name.bias</c>.</param>
/// <param name="Outputs">Output features.</param>
/// <param name="Inputs">Input features.</param>
/// <param name="HasBias">Whether it has a bias.</param>
internal sealed record LinearLayerInfo(string Name, int Outputs, int Inputs, bool HasBias)
{
    /// <summary>Gets the name of the tensor that holds the weight: for a tied layer, another module's.</summary>
    public string WeightName { get; init; } = $"{Name}.weight";

    /// <summary>Gets a value indicating whether the weight is another module's: a language model's head that is its embedding table.</summary>
    public bool IsTied { get; init; }
}
