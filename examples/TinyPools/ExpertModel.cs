namespace Smile.ML.Examples.TinyPools;

/// <summary>A fine-tuned model of a family.</summary>
/// <param name="Name">Its folder name.</param>
/// <param name="Head">The tensors of a head of its own; null where it has none.</param>
/// <param name="Labels">The names of the head's classes.</param>
/// <param name="IsAdapter">Whether it is a PEFT LoRA adapter instead of a whole model.</param>
internal sealed record ExpertModel(string Name, TensorList? Head = null, IReadOnlyList<string>? Labels = null, bool IsAdapter = false);
