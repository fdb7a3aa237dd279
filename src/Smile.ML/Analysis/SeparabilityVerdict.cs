using System.Globalization;

namespace Smile.ML.Analysis;

/// <summary>
/// A prediction, in plain words, whether SMILE's router will tell a pool's tasks apart. The thresholds were set on two trained pools and
/// selections of their experts (docs/analyses.md has the figures): they are a rule of thumb for vision transformers of that kind.
/// </summary>
public sealed record SeparabilityVerdict
{
    // Mean over layers and pairs of |cosine| of the tasks' mean layer inputs.
    private const double GoodInputOverlap = 0.35;
    private const double PoorInputOverlap = 0.65;

    // Mean over layers and pairs of the router subspaces' overlap in excess of random ones.
    private const double GoodRouterOverlap = 0.25;
    private const double PoorRouterOverlap = 0.42;

    private const int PairsToName = 3;

    /// <summary>Gets the verdict.</summary>
    public required Separability Level { get; init; }

    /// <summary>
    /// Gets the overlap of the experts' router subspaces beyond that of random ones, (overlap - random) / (1 - random), the mean over layers
    /// and pairs; null where there are no experts yet.
    /// </summary>
    public double? RouterOverlap { get; init; }

    /// <summary>Gets the overlap of the tasks' mean layer inputs, the mean over layers and pairs; null where there was no data.</summary>
    public double? InputOverlap { get; init; }

    /// <summary>Gets the pairs that overlap most, by the inputs where there was data, else by the router subspaces.</summary>
    public IReadOnlyList<TaskPair> ClosestPairs { get; init; } = [];

    /// <summary>Gets a value indicating whether there is one expert only, whatever <see cref="Level"/> says.</summary>
    public bool HasNothingToRoute { get; init; }

    /// <summary>Gets the verdict in a sentence or two.</summary>
    public required string Summary { get; init; }

    /// <summary>Gets what would help; empty where nothing is needed.</summary>
    public IReadOnlyList<string> Advice { get; init; } = [];

    /// <summary>
    /// Judges a pool. Inputs are the better evidence and decide where there are any; they need no experts, so a plan can be judged before
    /// anything is fine-tuned.
    /// </summary>
    /// <param name="weights">The analysis of the pool's weights; empty where there are no experts yet.</param>
    /// <param name="inputs">The overlap of the tasks' layer inputs; empty where there is no data.</param>
    /// <returns>The verdict.</returns>
    /// <exception cref="ArgumentException">Both are empty.</exception>
    public static SeparabilityVerdict From(IReadOnlyList<LayerWeightAnalysis> weights, IReadOnlyList<LayerInputOverlap> inputs)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(inputs);
        if (weights.Count == 0 && inputs.Count == 0)
        {
            throw new ArgumentException("There is nothing to judge by.", nameof(inputs));
        }

        LabelledMatrix? router = weights.Count > 0 ? LabelledMatrix.Mean([.. weights.Select(Excess)]) : null;
        LabelledMatrix? input = inputs.Count > 0 ? LabelledMatrix.Mean([.. inputs.Select(layer => layer.Cosine)]) : null;
        LabelledMatrix evidence = (input ?? router)!;
        double overlap = evidence.MeanOffDiagonal;
        Separability level = input is not null
            ? Judge(overlap, GoodInputOverlap, PoorInputOverlap)
            : Judge(overlap, GoodRouterOverlap, PoorRouterOverlap);
        IReadOnlyList<TaskPair> closest = Closest(evidence);
        bool hasOneExpert = evidence.Rows.Count < 2;
        return new SeparabilityVerdict
        {
            Level = level,
            RouterOverlap = router?.MeanOffDiagonal,
            InputOverlap = input?.MeanOffDiagonal,
            ClosestPairs = closest,
            HasNothingToRoute = hasOneExpert,
            Summary = hasOneExpert ? "There is one expert, so there is nothing to route." : Summarize(level, overlap, input is not null),
            Advice = level == Separability.Good ? [] : Advise(level, closest, input is not null),
        };
    }

    private static Separability Judge(double overlap, double good, double poor)
        => overlap <= good ? Separability.Good : overlap <= poor ? Separability.Partial : Separability.Poor;

    /// <summary>Router overlap beyond that of random subspaces. Routers that span the whole input tell nothing apart.</summary>
    private static LabelledMatrix Excess(LayerWeightAnalysis layer)
        => new(layer.RouterOverlap.Rows, layer.RouterOverlap.Columns, (i, j) => layer.RandomRouterOverlap < 1
            ? Math.Max(0, (layer.RouterOverlap[i, j] - layer.RandomRouterOverlap) / (1 - layer.RandomRouterOverlap))
            : 1);

    private static List<TaskPair> Closest(LabelledMatrix overlap)
        => [.. (from i in Enumerable.Range(0, overlap.Rows.Count)
                from j in Enumerable.Range(i + 1, overlap.Rows.Count - i - 1)
                orderby overlap[i, j] descending
                select new TaskPair(overlap.Rows[i], overlap.Columns[j], overlap[i, j])).Take(PairsToName)];

    private static string Summarize(Separability level, double overlap, bool fromInputs)
    {
        string evidence = fromInputs
            ? string.Create(CultureInfo.InvariantCulture, $"On the pretrained network, the mean layer inputs of two tasks have a cosine of {overlap:F2} on average")
            : string.Create(CultureInfo.InvariantCulture, $"The experts' router directions overlap {overlap:F2} more than random ones (1 would be identical)");
        string certainty = fromInputs ? "" : " Weights alone are weak evidence: a few unlabelled rows of each task would tell more.";
        return level switch
        {
            Separability.Good => $"Routing will probably work. {evidence}: {(fromInputs ? "the tasks look different to the layers" : "the experts look in different directions")}, so tokens can find their expert.{certainty}",
            Separability.Partial => $"Routing will probably work in part. {evidence}: some tokens will find their expert, others will not.{certainty}",
            _ => $"Routing will probably fail. {evidence}: {(fromInputs ? "the tasks look alike to the layers" : "the experts look in much the same directions")}, so the router can hardly tell them apart.{certainty}",
        };
    }

    private static List<string> Advise(Separability level, IReadOnlyList<TaskPair> closest, bool fromInputs)
    {
        var advice = new List<string>
        {
            "Raise the router rank (k_gate): it costs little and gives the router more to see.",
            "Try two or more experts per token: where the choice is uncertain, blending loses less than choosing wrongly.",
        };
        if (closest.Count > 0)
        {
            advice.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"Don't ask the router to tell {closest[0].First} from {closest[0].Second} (overlap {closest[0].Overlap:F2}): merge such experts, or fuse them apart."));
        }

        if (level == Separability.Poor)
        {
            advice.Add("Compare with a plain merge, which may be as good here and is far smaller.");
            advice.Add("Where the caller knows the task, let it choose the expert: no router is as sure.");
        }

        if (!fromInputs)
        {
            advice.Add("Measure with data before deciding.");
        }

        return advice;
    }
}
