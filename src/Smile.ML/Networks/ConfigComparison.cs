using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>
/// Finds where two configs ask for different functions of the same weights. Only keys that both have count, and only those that change
/// no shape: what labels, dropout, special tokens and the like say differs between fine-tunes of one model.
/// </summary>
internal static class ConfigComparison
{
    private static readonly string[] Activations = ["hidden_act", "feed_forward_proj", "dense_act_fn"];

    private static readonly string[] Keys =
    [
        "num_attention_heads", "num_key_value_heads", "num_heads", "head_dim", "d_kv",
        .. Activations, "is_gated_act",
        "layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps",
        "position_embedding_type", "relative_attention_max_distance",
        "rope_theta", "partial_rotary_factor", "use_sliding_window", "sliding_window",
    ];

    /// <summary>Objects of which the keys count that both have: libraries of different age write more or fewer.</summary>
    private static readonly string[] Sections = ["rope_scaling", "rope_parameters", "vision_config", "text_config"];

    private static readonly string[] RotaryKeys =
    [
        "rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
        "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim",
    ];

    /// <summary>Finds the first key by which two configs differ.</summary>
    /// <returns>The key and both values as they are written; null where there is none.</returns>
    public static (string Key, string First, string Second)? FindDifference(ModelConfig first, ModelConfig second)
    {
        foreach (string key in Keys.Concat(RotaryKeys).Distinct())
        {
            if (first.TryGet(key, out JsonElement a) && second.TryGet(key, out JsonElement b) && !JsonElement.DeepEquals(a, b)
                && !IsSameActivation(key, a, b) && !(key == "sliding_window" && (IsOff(first) || IsOff(second))))
            {
                return (key, ErrorText.Clip(a.GetRawText()), ErrorText.Clip(b.GetRawText()));
            }
        }

        foreach (string key in Sections)
        {
            if (IsObject(first, key) && IsObject(second, key) && FindDifference(first.GetSection(key), second.GetSection(key)) is { } found)
            {
                return found with { Key = $"{key}.{found.Key}" };
            }
        }

        return null;
    }

    private static bool IsObject(ModelConfig config, string key) => config.TryGet(key, out JsonElement value) && value.ValueKind == JsonValueKind.Object;

    /// <summary>Tells whether a window is given that is not used.</summary>
    private static bool IsOff(ModelConfig config) => config.TryGet("use_sliding_window", out JsonElement value) && value.ValueKind == JsonValueKind.False;

    /// <summary>Tells whether two names stand for one nonlinearity.</summary>
    private static bool IsSameActivation(string key, JsonElement a, JsonElement b)
        => Activations.Contains(key) && a.ValueKind == JsonValueKind.String && b.ValueKind == JsonValueKind.String
            && HiddenActivation.TryParse(a.GetString()!) is { } one && one == HiddenActivation.TryParse(b.GetString()!);
}
