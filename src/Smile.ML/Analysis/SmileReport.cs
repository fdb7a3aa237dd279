using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Analysis.Html;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Analysis;

/// <summary>
/// Everything that the analyses say of a pool: a page for people, and the figures behind it for programs. Shows itself as HTML in
/// notebooks.
/// </summary>
[TypeFormatterSource(typeof(ReportFormatterSource))]
public sealed class SmileReport
{
    private const int QuickRows = 64;
    private const int OverlapRows = 16;
    private const int ErrorRows = 8;

    private SmileReport()
    {
    }

    /// <summary>Gets the pool's name: its folder's.</summary>
    public required string Pool { get; init; }

    /// <summary>Gets the pretrained model's <c>model_type</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>Gets the experts' names in router order.</summary>
    public required IReadOnlyList<string> Experts { get; init; }

    /// <summary>Gets the parameters of the pretrained model.</summary>
    public required long PretrainedParameters { get; init; }

    /// <summary>Gets the setting that routing and errors are shown for.</summary>
    public required SmileSetting Setting { get; init; }

    /// <summary>Gets the rows of each task that were evaluated at most; null where all were, or where there was no data.</summary>
    public int? MaxRowsPerTask { get; init; }

    /// <summary>Gets whether the tasks can be told apart.</summary>
    public required SeparabilityVerdict Verdict { get; init; }

    /// <summary>Gets what to pick.</summary>
    public required Recommendation Recommendation { get; init; }

    /// <summary>Gets what the weights say, layer by layer.</summary>
    public required IReadOnlyList<LayerWeightAnalysis> Weights { get; init; }

    /// <summary>Gets the overlap of the tasks' layer inputs on the pretrained network; empty without data.</summary>
    public IReadOnlyList<LayerInputOverlap> InputOverlap { get; init; } = [];

    /// <summary>Gets all methods side by side: pretrained, fine-tuned, merges, SMILE at <see cref="Setting"/>, oracles; empty without data.</summary>
    public IReadOnlyList<MethodResult> Methods { get; init; } = [];

    /// <summary>Gets the dense models among the methods: the pretrained one and the merges.</summary>
    public IReadOnlyList<MethodResult> Merges { get; init; } = [];

    /// <summary>Gets each fine-tuned model on its own task; null without data.</summary>
    public MethodResult? FineTuned { get; init; }

    /// <summary>Gets SMILE over expert rank and router rank, with the experts per token of <see cref="Setting"/>; empty without data.</summary>
    public IReadOnlyList<SweepPoint> RankSweep { get; init; } = [];

    /// <summary>Gets SMILE over the experts per token, with the ranks of <see cref="Setting"/>; empty without data.</summary>
    public IReadOnlyList<SweepPoint> ExpertsPerTokenSweep { get; init; } = [];

    /// <summary>Gets SMILE at the recommended setting, or at <see cref="Setting"/> where none is; null without data.</summary>
    public SweepPoint? Pick { get; init; }

    /// <summary>Gets where tokens go at <see cref="Setting"/>; null without data.</summary>
    public RoutingAnalysis? Routing { get; init; }

    /// <summary>Gets whether router scores say how much experts would do; empty without data or with dense experts.</summary>
    public IReadOnlyList<ScoreCorrelation> ScoreCorrelations { get; init; } = [];

    /// <summary>Gets how errors accumulate over the blocks; null without data.</summary>
    public ErrorAccumulation? Errors { get; init; }

    /// <summary>Analyses a pool.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="options">What to cover; the defaults where null.</param>
    /// <param name="progress">Told what is being done; or null.</param>
    /// <param name="cancellationToken">Ends the analysis.</param>
    /// <returns>The report.</returns>
    /// <exception cref="SmileException">
    /// An expert doesn't fit the pretrained model or lacks data or a head where folders of them are given, or a setting is out of range.
    /// </exception>
    /// <exception cref="OperationCanceledException">The analysis was cancelled.</exception>
    public static SmileReport Create(
        ModelPool pool, SmileReportOptions? options = null, IProgress<string>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pool);
        options = (options ?? new SmileReportOptions()).Effective();

        // What can't work says so before the weights are analysed, which takes long.
        (int? expertRank, int routerRank, int expertsPerToken) = options.Setting;
        new SmileFusionOptions { ExpertRank = expertRank, RouterRank = routerRank, ExpertsPerToken = expertsPerToken }.Validate(pool.Experts.Count);
        Backends.Create(options.Compute ?? new ComputeOptions()).Dispose();
        using PoolEvaluation? evaluation = options.HeadsFolder is null || options.DataFolder is null
            ? null
            : PoolEvaluation.Open(pool, options.HeadsFolder, options.DataFolder, options.Compute, options.Quick ? QuickRows : null);
        SmileReport weights = AnalyseWeights(pool, options, progress, cancellationToken);
        return evaluation is null ? weights : Evaluate(weights, evaluation, options, progress, cancellationToken);
    }

    /// <summary>Writes the report as one page of HTML that needs nothing else: no scripts, no fonts, no network.</summary>
    /// <returns>The page.</returns>
    public string ToHtml() => ReportPage.Render(this);

    private static SmileReport AnalyseWeights(ModelPool pool, SmileReportOptions options, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        progress?.Report("Weights");
        var layers = new List<LayerWeightAnalysis>();
        var analysis = new WeightAnalysisOptions
        {
            ExpertRank = options.Setting.ExpertRank ?? int.MaxValue,
            RouterRank = options.Setting.RouterRank,
            Zones = !options.Quick,
            Threads = options.Compute?.Threads,
        };
        layers.AddRange(WeightAnalysis.Measure(pool, analysis, cancellationToken));
        SeparabilityVerdict verdict = SeparabilityVerdict.From(layers, []);
        return new SmileReport
        {
            Pool = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(pool.Location))),
            ModelType = pool.Pretrained.Config.ModelType,
            Experts = [.. pool.Experts.Select(expert => expert.Name)],
            PretrainedParameters = pool.Pretrained.CountParameters(),
            Setting = options.Setting,
            Verdict = verdict,
            Recommendation = Recommendation.From(verdict),
            Weights = layers,
        };
    }

    private static SmileReport Evaluate(
        SmileReport weights, PoolEvaluation evaluation, SmileReportOptions options, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        SmileSetting setting = options.Setting;
        progress?.Report("Layer inputs");
        IReadOnlyList<LayerInputOverlap> inputs = evaluation.InputOverlap(OverlapRows, cancellationToken);
        SeparabilityVerdict verdict = SeparabilityVerdict.From(weights.Weights, inputs);

        progress?.Report("Fine-tuned models");
        MethodResult fineTuned = evaluation.FineTuned(cancellationToken);
        var dense = new List<MethodResult> { evaluation.Pretrained(cancellationToken) };
        foreach (MergeMethod merge in options.Merges)
        {
            progress?.Report(merge.ToString());
            dense.Add(evaluation.Merged(merge, cancellationToken));
        }

        SmileSetting[] ranks = [.. from k in WithOwn(options.ExpertRanks, setting.ExpertRank) from gate in WithOwn(options.RouterRanks, setting.RouterRank) select setting with { ExpertRank = k, RouterRank = gate }];
        SmileSetting[] perToken = [.. WithOwn(options.ExpertsPerToken, setting.ExpertsPerToken).Where(n => n <= weights.Experts.Count).Select(n => setting with { ExpertsPerToken = n })];
        SmileSetting[] everyDense = options.Quick || setting.ExpertRank is null ? [] : [setting with { ExpertRank = null }];
        var reporter = new SweepProgress(progress);
        IReadOnlyList<SweepPoint> sweep = evaluation.Sweep([setting, .. ranks, .. perToken, .. everyDense], progress: reporter, cancellationToken: cancellationToken);

        progress?.Report("Routing and errors");
        using FusedPool fused = evaluation.Fuse([setting], null, cancellationToken);
        var statistics = new RoutingStatistics(weights.Experts);
        evaluation.SmileSlice(fused, setting, statistics.Observe, cancellationToken);
        IReadOnlyList<ScoreCorrelation> correlations = evaluation.ScoreCorrelations(fused, ErrorRows, cancellationToken);
        ErrorAccumulation errors = evaluation.ErrorAccumulation(fused, setting, ErrorRows, cancellationToken);

        progress?.Report("Oracles");
        MethodResult[] oracles = [.. setting.ExpertRank is { } rank ? [evaluation.LowRankOracle(rank, cancellationToken)] : Array.Empty<MethodResult>(), evaluation.Oracle(cancellationToken)];
        Recommendation recommendation = Recommendation.From(verdict, fineTuned, dense, sweep);
        SweepPoint pick = PointOf(recommendation.Setting ?? setting);
        MethodResult[] smile = [pick.Result, .. perToken.Select(ResultOf), .. everyDense.Select(ResultOf)];
        return new SmileReport
        {
            Pool = weights.Pool,
            ModelType = weights.ModelType,
            Experts = weights.Experts,
            PretrainedParameters = weights.PretrainedParameters,
            Setting = setting,
            MaxRowsPerTask = options.Quick ? QuickRows : null,
            Verdict = verdict,
            Recommendation = recommendation,
            Pick = pick,
            Weights = weights.Weights,
            InputOverlap = inputs,
            Methods = [.. dense, .. smile.Distinct(), .. oracles, fineTuned],
            Merges = dense,
            FineTuned = fineTuned,
            RankSweep = [.. ranks.Select(PointOf), .. everyDense.Select(PointOf)],
            ExpertsPerTokenSweep = [.. perToken.Select(PointOf)],
            Routing = statistics.Summarize(),
            ScoreCorrelations = correlations,
            Errors = errors,
        };

        SweepPoint PointOf(SmileSetting wanted) => sweep.First(point => point.Setting == wanted);
        MethodResult ResultOf(SmileSetting wanted) => PointOf(wanted).Result;
    }

    private static IEnumerable<int> WithOwn(IReadOnlyList<int> values, int own) => values.Append(own).Distinct().Order();

    private static IEnumerable<int?> WithOwn(IReadOnlyList<int> values, int? own)
        => own is { } value ? WithOwn(values, value).Select(k => (int?)k) : values.Order().Select(k => (int?)k).Append(null);

    private sealed class SweepProgress(IProgress<string>? progress) : IProgress<SweepPoint>
    {
        public void Report(SweepPoint value) => progress?.Report(value.Result.Method);
    }
}
