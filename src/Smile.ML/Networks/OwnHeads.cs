using System.Text.Json;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>
/// Heads that the models of a pool don't have in common, so that they stay each expert's own: which expert has which. A fused model's
/// config.json lists them, module by module, and holds their tensors as <c>task_heads.EXPERT.</c> and the name that they have in the
/// expert's checkpoint.
/// </summary>
internal sealed class OwnHeads
{
    /// <summary>The key in config.json: an object from a head's module to the list of experts that have one.</summary>
    public const string ConfigKey = "task_heads";

    /// <summary>The key in config.json of what the experts' own configs say of their classes: an object from experts to such parts.</summary>
    public const string LabelsKey = "task_labels";

    /// <summary>No such heads.</summary>
    public static readonly OwnHeads None = new(new Dictionary<string, IReadOnlyList<string>>());

    /// <summary>Takes a list.</summary>
    /// <param name="modules">
    /// The experts that have a head, in router order, by the head's module. There may be none: the pretrained model's own is left out.
    /// </param>
    public OwnHeads(IReadOnlyDictionary<string, IReadOnlyList<string>> modules)
    {
        Modules = modules;
        Experts = [.. modules.Values.SelectMany(experts => experts).Distinct()];
    }

    /// <summary>Gets the experts that have a head, by the head's module.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Modules { get; }

    /// <summary>Gets the experts that have any head of their own.</summary>
    public IReadOnlyList<string> Experts { get; }

    /// <summary>Reads a config's list; there is none in a plain model's.</summary>
    /// <exception cref="SmileException">It is not an object of lists of strings.</exception>
    public static OwnHeads Read(ModelConfig config)
    {
        if (!config.Has(ConfigKey))
        {
            return None;
        }

        ModelConfig section = config.GetSection(ConfigKey);
        config.TryGet(ConfigKey, out JsonElement modules);
        return new OwnHeads(modules.EnumerateObject().ToDictionary(module => module.Name, module => section.GetStringList(module.Name)));
    }

    /// <summary>Gets what a fused model's config says of the classes of an expert's own head, in the keys of a plain model's config.</summary>
    public static ModelConfig LabelsOf(ModelConfig config, string expert)
        => config.Has(LabelsKey) && config.GetSection(LabelsKey) is { } labels && labels.Has(expert)
            ? labels.GetSection(expert)
            : config.WithoutLabels();

    /// <summary>Gets what the names of the tensors of an expert's own heads start with.</summary>
    public static string Prefix(string expert) => $"{ConfigKey}.{expert}.";

    /// <summary>Tells whether a tensor or layer of a fused model is one of an expert's own head.</summary>
    public static bool IsOwn(string name) => name.StartsWith($"{ConfigKey}.", StringComparison.Ordinal);

    /// <summary>Tells whether a tensor or layer, by its name in an expert's checkpoint, belongs to a head that the models don't share.</summary>
    public bool Contains(string name) => Modules.Keys.Any(module => CheckpointNames.Holds(module, name));

    /// <summary>Tells whether an expert has a head of its own that a tensor or layer belongs to.</summary>
    public bool Contains(string expert, string name)
        => Modules.Any(module => CheckpointNames.Holds(module.Key, name) && module.Value.Contains(expert));

    /// <summary>Writes the list for config.json.</summary>
    public JsonObject ToJson()
        => new(Modules.Select(module => KeyValuePair.Create(
            module.Key, (JsonNode?)new JsonArray([.. module.Value.Select(expert => JsonValue.Create(expert))]))));
}
