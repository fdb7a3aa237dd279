namespace Smile.ML.Analysis;

/// <summary>One module that a LoRA adapter changes.</summary>
/// <param name="Name">The module's name in the base model.</param>
/// <param name="Outputs">Output features; of an embedding, its features.</param>
/// <param name="Inputs">Input features; of an embedding, its tokens.</param>
/// <param name="Rank">The rank r of its factors.</param>
/// <param name="Scale">The factor of B A: alpha / r, or alpha / sqrt(r) for a rank-stabilised adapter.</param>
public sealed record AdaptedModuleSummary(string Name, long Outputs, long Inputs, int Rank, double Scale);
