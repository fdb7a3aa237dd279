namespace Smile.ML.Fusion.Merging;

/// <summary>Reads a piece of an expert: its parameters, or its task vector.</summary>
/// <param name="expert">The expert.</param>
/// <param name="block">Which elements.</param>
/// <param name="destination">Receives them.</param>
internal delegate void ExpertReader(int expert, TensorBlock block, Span<float> destination);
