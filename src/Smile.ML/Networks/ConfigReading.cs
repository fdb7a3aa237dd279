using System.Text.Json;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Reads what several architectures' configs have in common.</summary>
internal static class ConfigReading
{
    private static readonly string[] LabelKeys = ["id2label", "num_labels", "problem_type"];

    // Beyond any model; the layers' lists are made before their weights are looked for, and must stay small.
    private const int MaxLayers = 1 << 16;

    /// <summary>Reads a number of layers.</summary>
    /// <exception cref="SmileException">It is not from 1 to 65536.</exception>
    public static int GetLayerCount(this ModelConfig config, string key, int defaultCount)
        => config.GetInt32(key, defaultCount, minimum: 1, maximum: MaxLayers);

    /// <summary>Reads what a norm adds to the variance.</summary>
    /// <exception cref="SmileException">It is not from 0 to 1.</exception>
    public static float GetEpsilon(this ModelConfig config, string key, double defaultValue)
        => (float)config.GetDouble(key, defaultValue, minimum: 0, maximum: 1);

    /// <summary>Multiplies a number of heads by the size of one.</summary>
    /// <exception cref="SmileException">The product is beyond 32 bits.</exception>
    public static int GetHeadFeatures(this ModelConfig config, int heads, int headSize)
        => (long)heads * headSize <= int.MaxValue
            ? heads * headSize
            : throw new SmileException($"{config.Location}: {heads} heads of {headSize} features are more than {int.MaxValue} features.");

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
        if (geometry.ImageSize % geometry.PatchSize != 0)
        {
            throw new SmileException($"{config.Location}: image_size {geometry.ImageSize} is not a multiple of patch_size {geometry.PatchSize}.");
        }

        // Then the numbers of patches and of their values fit as well.
        return (Int128)geometry.Channels * geometry.ImageSize * geometry.ImageSize < int.MaxValue
            ? geometry
            : throw new SmileException(
                $"{config.Location}: num_channels {geometry.Channels} and image_size {geometry.ImageSize} make an image of more than {int.MaxValue} values.");
    }

    /// <summary>Gets the number of classes: the length of <c>id2label</c>, else <c>num_labels</c>, else the rows that the checkpoint has.</summary>
    /// <param name="builder">Gives the config and the layer.</param>
    /// <param name="layer">The layer that computes the logits.</param>
    public static int GetLabelCount(this ModuleBuilder builder, string layer)
        => builder.Config.TryGet("id2label", out JsonElement labels) && labels.ValueKind == JsonValueKind.Object
            ? labels.EnumerateObject().Count()
            : builder.Config.GetInt32("num_labels", builder.FindLinear(layer)?.Outputs ?? 2, minimum: 1);

    /// <summary>Makes a copy that says nothing of the classes.</summary>
    public static ModelConfig WithoutLabels(this ModelConfig config)
        => config.With(LabelKeys.Select(key => KeyValuePair.Create(key, (JsonNode?)null)));

    /// <summary>Gets what a config says of the classes.</summary>
    public static JsonObject GetLabels(this ModelConfig config)
    {
        var labels = new JsonObject();
        foreach (string key in LabelKeys)
        {
            if (config.TryGet(key, out JsonElement value))
            {
                labels[key] = JsonNode.Parse(value.GetRawText());
            }
        }

        return labels;
    }

    /// <summary>Checks a value of which only some are supported.</summary>
    /// <exception cref="SmileException">It is another.</exception>
    public static void Require(this ModelConfig config, string key, string fallback, params ReadOnlySpan<string> supported)
    {
        string value = config.GetString(key, fallback);
        if (!supported.Contains(value))
        {
            throw new SmileException($"{config.Location}: {key} is \"{ErrorText.Clip(value)}\"; supported: {string.Join(", ", supported)}.");
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
                throw new SmileException($"{config.Location}: architectures names {ErrorText.Clip(name)}; supported: {string.Join(", ", supported)}.");
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
}
