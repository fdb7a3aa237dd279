using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>Generation with T5: the encoder has run; the decoder takes its own tokens in one by one.</summary>
internal sealed class T5Session(T5Decoder decoder, T5DecoderState state) : GenerationSession(state.MemoryBatch.Count, decoder.Vocabulary)
{
    public override void Step(ForwardPass pass, ReadOnlySpan<int> tokens)
    {
        using Tensor logits = decoder.Forward(pass, state, tokens);
        Predict(pass, logits);
    }

    public override void Dispose() => state.Dispose();
}
