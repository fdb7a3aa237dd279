namespace Smile.ML.Checkpoints;

/// <summary>
/// What a LoRA adapter adds to one module's weight: Scale * B A for a linear layer [outputs, inputs], and Scale * (B A)^T for an
/// embedding [tokens, features].
/// </summary>
/// <param name="Name">The module's name in the base model.</param>
/// <param name="A">The tensor A [Rank, inputs], or [Rank, tokens] for an embedding.</param>
/// <param name="B">The tensor B [outputs, Rank], or [features, Rank] for an embedding.</param>
/// <param name="Bias">What is added, scaled, to the layer's bias: a tensor [outputs]; or null.</param>
/// <param name="Rank">The rank r.</param>
/// <param name="Scale">The factor: alpha / r, or alpha / sqrt(r) for a rank-stabilised adapter.</param>
/// <param name="IsEmbedding">Whether the module is an embedding.</param>
internal sealed record LoraModule(string Name, TensorInfo A, TensorInfo B, TensorInfo? Bias, int Rank, double Scale, bool IsEmbedding);
