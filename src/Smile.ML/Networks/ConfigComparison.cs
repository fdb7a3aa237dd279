using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>
/// Finds where two configs ask for different functions of the same weights. Only keys that both have count, and only those that change
/// no shape: what labels, dropout, special tokens and the like say differs between fine-tunes of one model. So do norms' epsilons and sliding
/// windows, by a rounding or by what few texts are long enough to notice.
/// </summary>
internal static class ConfigComparison
{
    private static readonly string[] Activations = ["hidden_act", "feed_forward_proj", "dense_act_fn"];

    private static readonly string[] Keys =
    [
        "num_attention_heads", "num_key_value_heads", "num_heads", "head_dim", "d_kv",
        .. Activations, "is_gated_act",
        "position_embedding_type", "relative_attention_max_distance",
        "rope_theta", "partial_rotary_factor",
    ];

    private static readonly string[] RotaryKeys =
    [
        "rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
        "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim",
    ];

    /// <summary>Objects and their keys. Libraries of different age write more or fewer of them.</summary>
    private static readonly (string Name, string[] Keys)[] Sections =
        [("rope_scaling", RotaryKeys), ("rope_parameters", RotaryKeys), ("vision_config", Keys), ("text_config", Keys)];

    /// <summary>Finds the first key by which two configs differ.</summary>
    /// <returns>The key and both values as they are written; null where there is none.</returns>
    public static (string Key, string First, string Second)? FindDifference(ModelConfig first, ModelConfig second)
        => FindDifference(first, second, Keys);

    private static (string Key, string First, string Second)? FindDifference(ModelConfig first, ModelConfig second, string[] keys)
    {
        foreach (string key in keys)
        {
            if (first.TryGet(key, out JsonElement a) && second.TryGet(key, out JsonElement b) && !JsonElement.DeepEquals(a, b)
                && !IsSameActivation(key, a, b))
            {
                return (key, ErrorText.Clip(a.GetRawText()), ErrorText.Clip(b.GetRawText()));
            }
        }

        foreach ((string name, string[] inner) in Sections)
        {
            if (IsObject(first, name) && IsObject(second, name) && FindDifference(first.GetSection(name), second.GetSection(name), inner) is { } found)
            {
                return found with { Key = $"{name}.{found.Key}" };
            }
        }

        return null;
    }

    private static bool IsObject(ModelConfig config, string key) => config.TryGet(key, out JsonElement value) && value.ValueKind == JsonValueKind.Object;

    /// <summary>Tells whether two names stand for one nonlinearity.</summary>
    private static bool IsSameActivation(string key, JsonElement a, JsonElement b)
        => Activations.Contains(key) && a.ValueKind == JsonValueKind.String && b.ValueKind == JsonValueKind.String
            && HiddenActivation.TryParse(a.GetString()!) is { } one && one == HiddenActivation.TryParse(b.GetString()!);
}
