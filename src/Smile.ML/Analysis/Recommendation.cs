using System.Globalization;

namespace Smile.ML.Analysis;

/// <summary>What to pick for a pool, in plain words.</summary>
/// <param name="Headline">The choice, in one sentence.</param>
/// <param name="Reasons">Why, and what to watch out for; a sentence or two each.</param>
/// <param name="Setting">The SMILE setting that is recommended; null where SMILE isn't, or where there was nothing to choose it by.</param>
public sealed record Recommendation(string Headline, IReadOnlyList<string> Reasons, SmileSetting? Setting)
{
    /// <summary>Differences in accuracy up to this many points are not worth more parameters.</summary>
    private const double Negligible = 0.5;

    /// <summary>Below this share of what lies between the best merge and the fine-tuned models, routing has failed whatever else.</summary>
    private const double WorthRouting = 0.5;

    /// <summary>Recommends from the weights, and the inputs where there were any: nothing was evaluated.</summary>
    /// <param name="verdict">Whether the tasks can be told apart.</param>
    /// <returns>The recommendation, without a setting.</returns>
    public static Recommendation From(SeparabilityVerdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        string headline = verdict.Level switch
        {
            _ when verdict.HasNothingToRoute => "Take the fine-tuned model itself: SMILE needs two or more.",
            Separability.Good => "SMILE is worth trying: its router should tell these tasks apart.",
            Separability.Partial => "SMILE may help, but measure before you rely on it.",
            _ => "Don't expect SMILE to tell these tasks apart.",
        };
        return new Recommendation(headline, [verdict.Summary, .. verdict.Advice], null);
    }

    /// <summary>Recommends from what was evaluated.</summary>
    /// <param name="verdict">Whether the tasks can be told apart.</param>
    /// <param name="fineTuned">Each fine-tuned model on its own task.</param>
    /// <param name="merges">Dense models: the pretrained one and merges.</param>
    /// <param name="sweep">SMILE at several settings; at least one.</param>
    /// <returns>The recommendation.</returns>
    public static Recommendation From(
        SeparabilityVerdict verdict, MethodResult fineTuned, IReadOnlyList<MethodResult> merges, IReadOnlyList<SweepPoint> sweep)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(fineTuned);
        ArgumentNullException.ThrowIfNull(merges);
        ArgumentNullException.ThrowIfNull(sweep);
        MethodResult merge = merges.MaxBy(method => method.Average)!;
        double bestSmile = sweep.Max(point => point.Result.Average);
        SweepPoint smile = sweep.Where(point => point.Result.Average >= bestSmile - Negligible).MinBy(point => (point.Result.Parameters, -point.Result.Average))!;
        string sizes = Text($"{smile.Result.Average:F1}% on average with {Millions(smile.Result.Parameters)} parameters, against {fineTuned.Average:F1}% of the fine-tuned models with {Millions(fineTuned.Parameters)} in all");
        if (merge.Average >= smile.Result.Average - Negligible)
        {
            return new Recommendation(
                Text($"Take the plain merge: {merge.Method} reaches {merge.Average:F1}%, and SMILE brings nothing on top."),
                [Text($"SMILE's best setting ({Words(smile.Setting)}) reaches {sizes}."), verdict.Summary, .. verdict.Advice],
                null);
        }

        double span = fineTuned.Average - merge.Average;
        double gained = span > 0 ? (smile.Result.Average - merge.Average) / span : 1;
        string comparison = Text($"The best plain merge ({merge.Method}) reaches {merge.Average:F1}%.");
        string optimism = "The setting was chosen on the rows it is reported on, which flatters it a little.";
        return gained >= WorthRouting
            ? new Recommendation(
                $"Use SMILE with {Words(smile.Setting)}.",
                [Text($"It reaches {sizes}: {100 * smile.Result.Average / fineTuned.Average:F1}% of what they reach."), comparison, verdict.Summary, .. verdict.Advice, optimism],
                smile.Setting)
            : new Recommendation(
                Text($"SMILE gains {smile.Result.Average - merge.Average:F1} points over the best merge, less than half of what the fine-tuned models have over it."),
                [Text($"The best setting ({Words(smile.Setting)}) reaches {sizes}."), comparison, verdict.Summary, .. verdict.Advice, optimism],
                smile.Setting);
    }

    private static string Words(SmileSetting setting) => Text(
        $"{(setting.ExpertRank is { } k ? Text($"experts of rank {k}") : "dense experts")}, router rank {setting.RouterRank} and {(setting.ExpertsPerToken == 1 ? "one expert" : Text($"{setting.ExpertsPerToken} experts"))} per token");

    private static string Millions(long? parameters) => Text($"{parameters / 1e6:G3} M");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
