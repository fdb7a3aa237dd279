namespace Smile.ML.Fusion;

/// <summary>How far a fusion has come.</summary>
/// <param name="LayersDone">Linear layers finished.</param>
/// <param name="LayerCount">Linear layers in all.</param>
/// <param name="Layer">The layer just finished.</param>
public readonly record struct FusionProgress(int LayersDone, int LayerCount, string Layer);
