using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Tool;

/// <summary>The options that say how SMILE fuses; shared by the commands that fuse.</summary>
internal sealed class FusionArguments
{
    private const string Dense = "dense";

    private readonly Option<string> _expertRank = new("--expert-rank")
    {
        Description = "Rank of each expert (k), or 'dense' for whole weight deltas.",
        HelpName = "N|dense",
        DefaultValueFactory = _ => "32",
        CustomParser = result => result.Tokens[^1].Value is var text && (text == Dense || ParseRank(text, out _))
            ? text
            : Arguments.Refuse<string>(result, $"a whole number, 1 or more, or {Dense}"),
    };

    private readonly Option<int> _routerRank = Arguments.Number("--router-rank", "Router rows per expert (k_gate).", 16);
    private readonly Option<int> _expertsPerToken = Arguments.Number("--experts-per-token", "Experts that each token goes to (top_k).", 1);

    private readonly Option<string?> _shared = Arguments.Choice(
        "--shared",
        "What is not upscaled: the pretrained values, the experts' mean, or FusionBench's mean over childless modules only.",
        "pretrained",
        "pretrained",
        "average",
        "average-leaves");

    private readonly Option<string[]> _keep = new("--keep")
    {
        Description = "Leave linear layers of this name (with * and ?) at the pretrained weights; repeatable.",
        HelpName = "PATTERN",
    };

    private readonly Option<string?> _compatibility = Arguments.Choice(
        "--compatibility", "Follow another implementation's treatment of zero deltas and of ranks above the numerical rank.", null, "fusionbench");

    private readonly Option<string?> _dtype = Arguments.Choice(
        "--dtype",
        "Element types of the result; 'keep' leaves copied tensors as they are and stores computed ones in f32.",
        "keep",
        "keep",
        "f32",
        "bf16",
        "f16");

    private readonly Option<long?> _maxMemory = new("--max-memory")
    {
        Description = "Limit of the working memory, e.g. 2GB.",
        HelpName = "SIZE",
        CustomParser = ParseSize,
    };

    private readonly Option<int?> _threads = Threads();

    /// <summary>The option for the number of threads, as every command that computes has it.</summary>
    public static Option<int?> Threads()
        => Arguments.OptionalNumber("--threads", "Threads to compute with; all that the machine gives by default.", ThreadCount.Most);

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _expertRank, _routerRank, _expertsPerToken, _shared, _keep, _compatibility, _dtype, _maxMemory, _threads })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Finds an option that says how to fuse and was given; the number of threads is none of them.</summary>
    public string? FindGiven(ParseResult parsed)
        => new Option[] { _expertRank, _routerRank, _expertsPerToken, _shared, _keep, _compatibility, _dtype, _maxMemory }
            .FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name;

    /// <summary>Refuses more experts per token than there are.</summary>
    public static void RequireExperts(int expertsPerToken, int experts)
    {
        if (expertsPerToken > experts)
        {
            throw new SmileException($"--experts-per-token is {expertsPerToken}; expected 1 to {experts}, the number of experts.");
        }
    }

    public SmileFusionOptions Read(ParseResult parsed)
    {
        return new SmileFusionOptions
        {
            ExpertRank = ParseRank(parsed.GetValue(_expertRank)!, out int rank) ? rank : null,
            RouterRank = parsed.GetValue(_routerRank),
            ExpertsPerToken = parsed.GetValue(_expertsPerToken),
            Shared = parsed.GetValue(_shared) switch
            {
                "average" => SharedParameters.Average,
                "average-leaves" => SharedParameters.AverageLeaves,
                _ => SharedParameters.Pretrained,
            },
            Keep = parsed.GetValue(_keep) ?? [],
            Compatibility = parsed.GetValue(_compatibility) is null ? FusionCompatibility.None : FusionCompatibility.FusionBench,
            Precision = parsed.GetValue(_dtype) switch
            {
                "f32" => StoredPrecision.F32,
                "bf16" => StoredPrecision.BF16,
                "f16" => StoredPrecision.F16,
                _ => StoredPrecision.Keep,
            },
            MaxMemory = parsed.GetValue(_maxMemory),
            Threads = parsed.GetValue(_threads),
        };
    }

    private static bool ParseRank(string text, out int rank)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out rank) && rank >= 1;

    private static long? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value.Trim();
        string digits = text.TrimEnd([.. "BbIiKkMmGgTt "]);
        long unit = text[digits.Length..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "K" or "KB" or "KIB" => 1L << 10,
            "M" or "MB" or "MIB" => 1L << 20,
            "G" or "GB" or "GIB" => 1L << 30,
            "T" or "TB" or "TIB" => 1L << 40,
            _ => 0,
        };
        if (unit > 0 && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
            && number * unit is >= 1 and < long.MaxValue)
        {
            return (long)(number * unit);
        }

        return Arguments.Refuse<long?>(result, "a size such as 512MB or 2GB");
    }
}
