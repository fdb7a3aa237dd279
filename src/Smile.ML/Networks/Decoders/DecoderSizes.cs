using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Decoders;

/// <summary>A decoder's sizes, under Hugging Face's config keys.</summary>
/// <param name="Vocabulary">Number of tokens.</param>
/// <param name="Hidden">Features of a token.</param>
/// <param name="Inner">Features inside a block's perceptron.</param>
/// <param name="Layers">Number of blocks.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads; each serves Heads / KeyValueHeads query heads.</param>
/// <param name="HeadSize">Features of one head.</param>
internal sealed record DecoderSizes(int Vocabulary, int Hidden, int Inner, int Layers, int Heads, int KeyValueHeads, int HeadSize)
{
    /// <summary>Reads the sizes. A <c>num_key_value_heads</c> or <c>head_dim</c> of null follows from the other sizes.</summary>
    /// <param name="config">The model's configuration.</param>
    /// <param name="defaults">The values of absent keys; KeyValueHeads 0 for as many as query heads.</param>
    /// <exception cref="SmileException">A size is out of range, or the heads don't divide evenly.</exception>
    public static DecoderSizes Read(ModelConfig config, DecoderSizes defaults)
    {
        int hidden = config.GetInt32("hidden_size", defaults.Hidden, minimum: 1);
        int heads = config.GetInt32("num_attention_heads", defaults.Heads, minimum: 1);
        bool plain = config.IsNull("num_key_value_heads") || defaults.KeyValueHeads == 0;
        int keyValueHeads = config.GetInt32("num_key_value_heads", plain ? heads : defaults.KeyValueHeads, minimum: 1);
        if (heads % keyValueHeads != 0)
        {
            throw new SmileException(
                $"{config.Location}: num_attention_heads {heads} is not a multiple of num_key_value_heads {keyValueHeads}.");
        }

        if (!config.Has("head_dim") && hidden % heads != 0)
        {
            throw new SmileException(
                $"{config.Location}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}, and there is no head_dim.");
        }

        int headSize = config.GetInt32("head_dim", hidden / heads, minimum: 1);
        if (headSize % 2 != 0)
        {
            throw new SmileException($"{config.Location}: the head size is {headSize}; rotary position embedding takes an even one.");
        }

        return new DecoderSizes(
            config.GetInt32("vocab_size", defaults.Vocabulary, minimum: 1),
            hidden,
            config.GetInt32("intermediate_size", defaults.Inner, minimum: 1),
            config.GetLayerCount("num_hidden_layers", defaults.Layers),
            heads,
            keyValueHeads,
            headSize);
    }
}
