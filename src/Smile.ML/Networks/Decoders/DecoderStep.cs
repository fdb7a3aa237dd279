using Smile.ML.Compute;

namespace Smile.ML.Networks.Decoders;

/// <summary>What the blocks of a decoder need to know of the tokens that run through them together.</summary>
/// <param name="Shape">Sizes and masks of the attention; every block sets its own window.</param>
/// <param name="Angles">The tokens' rotary angles.</param>
/// <param name="Lengths">How many tokens each sequence had before; empty where nothing is cached.</param>
internal readonly record struct DecoderStep(AttentionShape Shape, Tensor Angles, ReadOnlyMemory<int> Lengths = default);
