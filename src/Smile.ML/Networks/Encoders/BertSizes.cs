using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Encoders;

/// <summary>The sizes that BERT's inputs and outputs depend on.</summary>
/// <param name="Hidden">Features of a token.</param>
/// <param name="Vocabulary">Number of token ids.</param>
/// <param name="TokenTypes">Number of token types.</param>
/// <param name="Positions">Number of learned positions.</param>
internal readonly record struct BertSizes(int Hidden, int Vocabulary, int TokenTypes, int Positions)
{
    /// <summary>Reads the sizes from a config.</summary>
    public static BertSizes Read(ModelConfig config, int defaultVocabulary) => new(
        config.GetInt32("hidden_size", 768, minimum: 1),
        config.GetInt32("vocab_size", defaultVocabulary, minimum: 1),
        config.GetInt32("type_vocab_size", 2, minimum: 1),
        config.GetInt32("max_position_embeddings", 512, minimum: 1));
}
