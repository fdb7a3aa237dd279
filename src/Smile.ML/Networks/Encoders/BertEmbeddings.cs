using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>The normalised sum of word, token type and position embeddings.</summary>
internal sealed class BertEmbeddings(Embedding words, Embedding types, Embedding positions, LayerNorm norm)
{
    /// <summary>Embeds tokens: [tokens, hidden]; the caller disposes the result.</summary>
    public Tensor Forward(ForwardPass pass, ReadOnlySpan<int> ids, ReadOnlySpan<int> typeIds, ReadOnlySpan<int> positionIds)
    {
        using Tensor sum = words.Forward(pass, ids);
        using Tensor typed = types.Forward(pass, typeIds);
        pass.Backend.Add(sum, typed);
        using Tensor placed = positions.Forward(pass, positionIds);
        pass.Backend.Add(sum, placed);
        return norm.Forward(pass, sum);
    }
}
