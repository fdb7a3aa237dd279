using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Generation;

/// <summary>Reads special tokens from a config.</summary>
internal static class ConfiguredTokens
{
    /// <summary>Reads <c>eos_token_id</c>: a token, a list of tokens, or absent.</summary>
    /// <exception cref="SmileException">It is something else.</exception>
    public static IReadOnlyList<int> ReadEndTokens(this ModelConfig config)
    {
        const string Key = "eos_token_id";
        return config.TryGet(Key, out JsonElement value) && value.ValueKind == JsonValueKind.Array
            ? config.GetInt32List(Key)
            : config.Has(Key) ? [config.GetInt32(Key)] : [];
    }
}
