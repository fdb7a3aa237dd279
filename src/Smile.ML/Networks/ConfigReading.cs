using System.Text.Json;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Reads what several architectures' configs have in common.</summary>
internal static class ConfigReading
{
    /// <summary>Reads a number of heads that divides the hidden size.</summary>
    /// <exception cref="SmileException">It doesn't.</exception>
    public static int GetHeads(this ModelConfig config, int hidden, int defaultHeads = 12)
    {
        int heads = config.GetInt32("num_attention_heads", defaultHeads, minimum: 1);
        return hidden % heads == 0
            ? heads
            : throw new SmileException($"{config.Location}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}.");
    }

    /// <summary>Reads how images are cut into patches.</summary>
    /// <exception cref="SmileException">The patches don't fill the image.</exception>
    public static PatchGeometry GetPatchGeometry(this ModelConfig config, int defaultPatchSize)
    {
        var geometry = new PatchGeometry(
            config.GetInt32("num_channels", 3, minimum: 1),
            config.GetInt32("image_size", 224, minimum: 1),
            config.GetInt32("patch_size", defaultPatchSize, minimum: 1));
        return geometry.ImageSize % geometry.PatchSize == 0
            ? geometry
            : throw new SmileException($"{config.Location}: image_size {geometry.ImageSize} is not a multiple of patch_size {geometry.PatchSize}.");
    }

    /// <summary>Reads the number of classes: the length of <c>id2label</c>, else <c>num_labels</c>, else 2.</summary>
    public static int GetLabelCount(this ModelConfig config)
        => config.TryGet("id2label", out JsonElement labels) && labels.ValueKind == JsonValueKind.Object
            ? labels.EnumerateObject().Count()
            : config.GetInt32("num_labels", 2, minimum: 1);

    /// <summary>Checks a value of which only some are supported.</summary>
    /// <exception cref="SmileException">It is another.</exception>
    public static void Require(this ModelConfig config, string key, string fallback, params ReadOnlySpan<string> supported)
    {
        string value = config.GetString(key, fallback);
        if (!supported.Contains(value))
        {
            throw new SmileException($"{config.Location}: {key} is \"{value}\"; supported: {string.Join(", ", supported)}.");
        }
    }

    /// <summary>Checks that the checkpoint's class in Hugging Face's library, where <c>architectures</c> names one, is among those supported.</summary>
    /// <exception cref="SmileException">It is another one, whose head would be misread or lost.</exception>
    public static void RequireArchitecture(this ModelConfig config, params ReadOnlySpan<string> supported)
    {
        foreach (string name in config.GetStringList("architectures", []))
        {
            if (!supported.Contains(name))
            {
                throw new SmileException($"{config.Location}: architectures names {name}; supported: {string.Join(", ", supported)}.");
            }
        }
    }

    /// <summary>Checks that a feature that is not supported is off, as it is by default.</summary>
    /// <exception cref="SmileException">It is on.</exception>
    public static void RequireOff(this ModelConfig config, string key)
    {
        if (config.GetBoolean(key, false))
        {
            throw new SmileException($"{config.Location}: {key} is true; supported: false.");
        }
    }

    /// <summary>
    /// Tells whether a checkpoint has a head: its weights are there, or <c>architectures</c> names a class of that kind
    /// (<c>ForSequenceClassification</c>, say), so that a head lost from the file is missed.
    /// </summary>
    public static bool HasHead(this ModuleBuilder builder, string layer, string kind)
        => builder.FindLinear(layer) is not null
            || builder.Config.GetStringList("architectures", []).Any(name => name.EndsWith(kind, StringComparison.Ordinal));
}
