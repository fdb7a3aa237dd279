using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.Decoders;

/// <summary>
/// Sequences that a decoder grows. Each has its own length; shorter prompts are filled up behind their end, where no earlier token looks
/// and where later ones overwrite, so that a sequence's bits don't depend on the others.
/// </summary>
internal sealed class CausalDecoderSession(CausalDecoder decoder, int batch, int vocabulary) : GenerationSession(batch, vocabulary)
{
    private readonly KeyValueCache[] _caches = decoder.CreateCaches(batch);
    private readonly int[] _lengths = new int[batch];

    /// <summary>Runs the prompts, none of them empty, and predicts the first new tokens.</summary>
    public void Prefill(ForwardPass pass, int[][] prompts)
    {
        int longest = prompts.Max(prompt => prompt.Length);
        var ids = new int[Batch * longest];
        var lastRows = new int[Batch];
        for (int sequence = 0; sequence < Batch; sequence++)
        {
            prompts[sequence].CopyTo(ids, sequence * longest);
            lastRows[sequence] = (sequence * longest) + prompts[sequence].Length - 1;
        }

        using Tensor hidden = decoder.Extend(pass, ids, _lengths, _caches);
        using Tensor last = pass.Gather(hidden, lastRows);
        for (int sequence = 0; sequence < Batch; sequence++)
        {
            _lengths[sequence] = prompts[sequence].Length;
        }

        PredictFrom(pass, last);
    }

    public override void Step(ForwardPass pass, ReadOnlySpan<int> tokens)
    {
        using Tensor hidden = decoder.Extend(pass, tokens.ToArray(), _lengths, _caches);
        for (int sequence = 0; sequence < Batch; sequence++)
        {
            _lengths[sequence]++;
        }

        PredictFrom(pass, hidden);
    }

    public override void Dispose() => Array.ForEach(_caches, cache => cache.Dispose());

    private void PredictFrom(ForwardPass pass, Tensor hidden)
    {
        using Tensor logits = decoder.Predict(pass, hidden);
        Predict(pass, logits);
    }
}
