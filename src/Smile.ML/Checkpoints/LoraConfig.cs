using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A LoRA adapter's <c>adapter_config.json</c>, with PEFT's rules of which module has which rank and scale. Settings under which the
/// adapter is no change of its base's weights are refused.
/// </summary>
internal sealed class LoraConfig
{
    /// <summary>The name that PEFT gives the file.</summary>
    public const string FileName = "adapter_config.json";

    // A compiled pattern takes some kilobytes, and many times its text's length.
    private const int MaxPatterns = 16_384;
    private const int MaxPatternLength = 16_384;

    private const string AllLinear = "all-linear";

    // A pattern comes with the adapter; one that takes longer than this on a module's name is refused.
    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);

    // And all matches of a file together.
    private static readonly TimeSpan PatternsTimeout = TimeSpan.FromSeconds(10);

    // Ways to initialise A and B that leave the base's weights alone.
    private static readonly string[] PlainInitialisations = ["gaussian", "eva", "orthogonal"];

    private static readonly string[] NarrowingKeys = ["exclude_modules", "layers_to_transform", "layers_pattern"];

    // Which biases were trained. Either way they are stored whole, so the names of the tensors tell.
    private static readonly string[] BiasKinds = ["none", "all", "lora_only"];

    private static readonly (string Key, string Reason)[] Unsupported =
    [
        ("use_dora", "DoRA also rescales the merged weight, which is no low-rank change; merge the adapter into its base and use the result as a full model"),
        ("use_qalora", "its A works on pooled inputs"),
        ("use_bdlora", "its factors are block-diagonal"),
        ("enable_lora", "it adapts parts of a layer"),
        ("alora_invocation_tokens", "it changes the weights for some tokens only"),
        ("arrow_config", "it routes between adapters"),
        ("layer_replication", "it changes the base's architecture"),
        ("megatron_config", "its layers are split between devices"),
        ("target_parameters", "only modules can be targeted"),
        ("trainable_token_indices", "it replaces single rows of the embedding"),
    ];

    private readonly ModelConfig _config;
    private readonly int _rank;
    private readonly double _alpha;
    private readonly bool _rankStabilised;
    private readonly List<(Regex Pattern, int Rank)> _ranks = [];
    private readonly List<(Regex Pattern, double Alpha)> _alphas = [];
    private readonly Func<string, bool>? _targets;
    private long _matchingTicks;

    private LoraConfig(ModelConfig config)
    {
        _config = config;
        _rank = config.GetInt32("r", 8, minimum: 1);
        _alpha = config.GetDouble("lora_alpha", 8);
        _rankStabilised = config.GetBoolean("use_rslora", false);
        ModulesToSave = config.GetStringList("modules_to_save", []);
        _targets = ReadNames("target_modules");
        foreach ((Regex pattern, string key, ModelConfig section) in ReadPatterns("rank_pattern"))
        {
            _ranks.Add((pattern, section.GetInt32(key, minimum: 1)));
        }

        foreach ((Regex pattern, string key, ModelConfig section) in ReadPatterns("alpha_pattern"))
        {
            _alphas.Add((pattern, section.GetDouble(key)));
        }
    }

    /// <summary>Gets the path of the file.</summary>
    public string Location => _config.Location;

    /// <summary>Gets the ends of the names of modules that the adapter replaces as a whole.</summary>
    public IReadOnlyList<string> ModulesToSave { get; }

    /// <summary>
    /// Gets a value indicating whether <see cref="Targets"/> alone says which modules are adapted: nothing narrows it by layer or
    /// exclusion, and it names modules rather than a kind of module.
    /// </summary>
    public bool TargetsAreComplete { get; private set; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file's path.</param>
    /// <returns>The configuration.</returns>
    /// <exception cref="SmileException">
    /// The file cannot be read, a value is not as expected, or the adapter is of another kind than LoRA or needs what is not supported.
    /// </exception>
    public static LoraConfig Load(string path)
    {
        ModelConfig config = ModelConfig.Load(path);
        RequireSupported(config);
        return new LoraConfig(config);
    }

    /// <summary>Gets the rank of a module's factors: the first matching <c>rank_pattern</c>, else <c>r</c>.</summary>
    public int Rank(string module) => First(_ranks, module, _rank);

    /// <summary>Gets the factor of a module's B A, from the first matching <c>alpha_pattern</c>, else <c>lora_alpha</c>.</summary>
    public double Scale(string module)
    {
        double rank = Rank(module);
        return First(_alphas, module, _alpha) / (_rankStabilised ? Math.Sqrt(rank) : rank);
    }

    /// <summary>Tells whether <c>target_modules</c> covers a module; true where the file doesn't tell.</summary>
    public bool Targets(string module) => _targets?.Invoke(module) ?? true;

    private static void RequireSupported(ModelConfig config)
    {
        string type = config.GetString("peft_type");
        if (type != "LORA")
        {
            throw new SmileException($"{config.Location}: peft_type is {ErrorText.Quote(type)}; supported: 'LORA'.");
        }

        string bias = config.GetString("bias", BiasKinds[0]);
        if (!BiasKinds.Contains(bias))
        {
            throw new SmileException($"{config.Location}: key 'bias': found {ErrorText.Quote(bias)}; expected one of {Quoted(BiasKinds)}.");
        }

        foreach ((string key, string reason) in Unsupported)
        {
            if (config.TryGet(key, out JsonElement value) && IsOn(value))
            {
                throw new SmileException($"{config.Location}: key '{key}': found {ErrorText.Clip(value.GetRawText())}, which is not supported: {reason}.");
            }
        }

        if (config.TryGet("init_lora_weights", out JsonElement initialisation) && initialisation.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            string name = config.GetString("init_lora_weights");
            if (!PlainInitialisations.Contains(name))
            {
                throw new SmileException(
                    $"{config.Location}: key 'init_lora_weights': found {ErrorText.Quote(name)}; supported: true, false, "
                    + $"{Quoted(PlainInitialisations)}. Others train the adapter against changed base weights, which this file doesn't hold; have PEFT convert the adapter to a plain one when it is saved.");
            }
        }
    }

    private static string Quoted(IEnumerable<string> values) => string.Join(", ", values.Select(value => $"'{value}'"));

    private static bool IsOn(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => false,
        JsonValueKind.Array => value.GetArrayLength() > 0,
        _ => true,
    };

    /// <summary>Reads names that stand for a module of that name or that ends in ".name", or one pattern of whole names.</summary>
    private Func<string, bool>? ReadNames(string key)
    {
        if (!_config.TryGet(key, out JsonElement value))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            string text = _config.GetString(key);
            if (text == AllLinear)
            {
                return null;
            }

            Regex pattern = Compile(key, $@"\A(?:{text})\z");
            TargetsAreComplete = NothingNarrowsTargets();
            return module => IsMatch(pattern, module);
        }

        HashSet<string> names = [.. _config.GetStringList(key)];
        TargetsAreComplete = NothingNarrowsTargets();
        return module => Endings(module).Any(names.Contains);
    }

    private bool NothingNarrowsTargets()
        => NarrowingKeys.All(key => !_config.TryGet(key, out JsonElement value) || !IsOn(value));

    /// <summary>Reads a map whose keys are patterns of a module's name or of its end after a dot.</summary>
    private IEnumerable<(Regex Pattern, string Key, ModelConfig Section)> ReadPatterns(string key)
    {
        if (!_config.TryGet(key, out JsonElement map))
        {
            yield break;
        }

        ModelConfig section = _config.GetSection(key);
        if (map.GetPropertyCount() is > MaxPatterns and var count)
        {
            throw new SmileException($"{Location}: key '{key}': found {count} patterns; expected at most {MaxPatterns}.");
        }

        foreach (JsonProperty entry in map.EnumerateObject())
        {
            yield return (Compile(key, $@"\A(.*\.)?({entry.Name})$"), entry.Name, section);
        }
    }

    private Regex Compile(string key, string pattern)
    {
        if (pattern.Length > MaxPatternLength)
        {
            throw new SmileException($"{Location}: key '{key}': found the pattern {ErrorText.Quote(pattern)}; expected at most {MaxPatternLength} characters.");
        }

        try
        {
            return new Regex(pattern, RegexOptions.CultureInvariant, PatternTimeout);
        }
        catch (ArgumentException e)
        {
            throw new SmileException($"{Location}: key '{key}': is not a regular expression that can be read here: {ErrorText.Clip(e.Message)}", e);
        }
    }

    /// <summary>A module's name and what follows each of its dots.</summary>
    private static IEnumerable<string> Endings(string module)
    {
        yield return module;
        for (int dot = module.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = module.IndexOf('.', dot + 1))
        {
            yield return module[(dot + 1)..];
        }
    }

    private T First<T>(List<(Regex Pattern, T Value)> patterns, string module, T otherwise)
    {
        foreach ((Regex pattern, T value) in patterns)
        {
            if (IsMatch(pattern, module))
            {
                return value;
            }
        }

        return otherwise;
    }

    private bool IsMatch(Regex pattern, string module)
    {
        long start = Stopwatch.GetTimestamp();
        bool matches;
        try
        {
            matches = pattern.IsMatch(module);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new SmileException($"{Location}: the pattern {ErrorText.Quote(e.Pattern)} takes too long on {ErrorText.Quote(e.Input)}.", e);
        }

        return Interlocked.Add(ref _matchingTicks, Stopwatch.GetTimestamp() - start) < PatternsTimeout.TotalSeconds * Stopwatch.Frequency
            ? matches
            : throw new SmileException($"{Location}: matching its patterns takes longer than {PatternsTimeout.TotalSeconds} seconds; the last one is {ErrorText.Quote(pattern.ToString())}.");
    }
}
