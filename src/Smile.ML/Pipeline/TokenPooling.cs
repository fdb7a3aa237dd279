namespace Smile.ML;

/// <summary>How one vector is made of the vectors that a network gives per token. Masked tokens and padding don't count.</summary>
public enum TokenPooling
{
    /// <summary>The first token's vector, as BERT's classifiers take it.</summary>
    FirstToken,

    /// <summary>The last token's vector: what a decoder has read the whole text for.</summary>
    LastToken,

    /// <summary>The average over the tokens, as sentence embeddings take it; summed in float64.</summary>
    Mean,
}
