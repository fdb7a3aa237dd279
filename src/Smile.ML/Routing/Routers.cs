using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Routing;

/// <summary>
/// The registry of routers, by the name that a fused model's config.json gives as <c>router</c>. A new one is a file of its own and a
/// line here.
/// </summary>
internal static class Routers
{
    /// <summary>The config key; absent for <see cref="Default"/>, as in models that other programs wrote.</summary>
    public const string ConfigKey = "router";

    /// <summary>The paper's router.</summary>
    public const string Default = "smile";

    // Beyond any pool; the experts' lists are made before their weights are looked for, and must stay small.
    private const int MaxExperts = 4096;

    private static readonly Dictionary<string, Func<int, int, IRowRouter>> ByName = new()
    {
        [Default] = (experts, expertsPerToken) => new SmileRouter(experts, expertsPerToken),
    };

    /// <summary>Creates the router that a fused model's config asks for; one serves all layers.</summary>
    /// <exception cref="SmileException">The config names an unknown router, or its numbers of experts don't fit together.</exception>
    public static IRowRouter Create(ModelConfig config)
    {
        string name = config.GetString(ConfigKey, Default);
        if (!ByName.TryGetValue(name, out Func<int, int, IRowRouter>? create))
        {
            throw new SmileException(
                $"{config.Location}: {ConfigKey} is \"{ErrorText.Clip(name)}\"; supported: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}.");
        }

        int experts = ExpertCount(config);
        return create(experts, config.GetInt32("num_experts_per_tok", minimum: 1, maximum: experts));
    }

    /// <summary>Reads the number of experts of a fused model's config.</summary>
    /// <exception cref="SmileException">It is missing, or beyond all bounds.</exception>
    public static int ExpertCount(ModelConfig config) => config.GetInt32("num_local_experts", minimum: 1, maximum: MaxExperts);
}
