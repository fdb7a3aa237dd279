using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>
/// Evaluates a pool side by side: the pretrained model, each expert on its own task, their average, SMILE, and the routing oracle.
/// Tasks and experts belong together by name.
/// </summary>
public sealed class PoolEvaluation : IDisposable
{
    private readonly ModelPool _pool;
    private readonly ComputeOptions? _compute;
    private readonly NetworkManifest _manifest;
    private readonly List<TaskData> _tasks;
    private readonly Dictionary<string, TaskHead> _heads;

    private PoolEvaluation(ModelPool pool, string headsFolder, string dataFolder, ComputeOptions? compute, int? maxRows)
    {
        _pool = pool;
        _compute = compute;
        _manifest = pool.Check();
        _heads = TaskHead.LoadFolder(headsFolder).ToDictionary(head => head.Name);
        IReadOnlyList<TaskData> tasks = TaskData.OpenFolder(dataFolder, maxRows);
        _tasks = [.. pool.Experts.Select(expert => tasks.FirstOrDefault(task => task.Name == expert.Name)).OfType<TaskData>()];
        foreach (TaskData unused in tasks.Except(_tasks))
        {
            unused.Dispose();
        }

        if (_tasks.Count < pool.Experts.Count || _tasks.Find(task => !_heads.ContainsKey(task.Name)) is not null)
        {
            string missing = pool.Experts.Select(expert => expert.Name)
                .First(name => !_heads.ContainsKey(name) || !_tasks.Exists(task => task.Name == name));
            Dispose();
            throw new SmileException($"{pool.Location}: expert {missing} needs {missing}_test.safetensors in {dataFolder} and {missing}.safetensors in {headsFolder}.");
        }
    }

    /// <summary>Gets the tasks' names in the order of the experts.</summary>
    public IReadOnlyList<string> Tasks => [.. _tasks.Select(task => task.Name)];

    /// <summary>Opens the evaluation of a pool.</summary>
    /// <param name="pool">The pool; it must outlive the evaluation.</param>
    /// <param name="headsFolder">One <c>TASK.safetensors</c> head per expert.</param>
    /// <param name="dataFolder">One <c>TASK_test.safetensors</c> per expert.</param>
    /// <param name="compute">Where to run; the CPU where null.</param>
    /// <param name="maxRowsPerTask">Evaluates on this many rows of each task at most, taken evenly from all; on all where null.</param>
    /// <returns>The evaluation; dispose it to close the data's files.</returns>
    /// <exception cref="SmileException">An expert doesn't fit the pretrained model, or has no data or head.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No row at all is to be taken.</exception>
    public static PoolEvaluation Open(
        ModelPool pool, string headsFolder, string dataFolder, ComputeOptions? compute = null, int? maxRowsPerTask = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        return new PoolEvaluation(pool, headsFolder, dataFolder, compute, maxRowsPerTask);
    }

    /// <summary>Evaluates the pretrained model on every task.</summary>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Pretrained(CancellationToken cancellationToken = default)
        => Evaluate("pretrained", _ => Load(_pool.Pretrained), sameForAll: true, _pool.Pretrained.CountParameters(), cancellationToken);

    /// <summary>Evaluates each expert on its own task.</summary>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult FineTuned(CancellationToken cancellationToken = default)
        => Evaluate(
            "finetuned (each on its own task)",
            task => Load(Expert(task).Parameters),
            sameForAll: false,
            _pool.Experts.Sum(expert => expert.Parameters.CountParameters()),
            cancellationToken);

    /// <summary>Evaluates the mean of the experts' parameters.</summary>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Average(CancellationToken cancellationToken = default)
        => Merged("simple average", new SimpleAverage(), cancellationToken);

    /// <summary>Evaluates a dense merge.</summary>
    /// <param name="method">How to merge.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="SmileException">The method can't merge this pool.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Merged(MergeMethod method, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(method);
        return Merged(method.ToString(), method, cancellationToken);
    }

    /// <summary>Evaluates the routing oracle: every row to its task's expert, dense, over the pretrained norms and embeddings.</summary>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Oracle(CancellationToken cancellationToken = default)
        => EvaluateOracle("oracle routing, dense experts, base non-linear parameters", rank: null, cancellationToken);

    /// <summary>
    /// Evaluates the routing oracle with low-rank experts: the difference to <see cref="Oracle"/> is what truncation loses, the
    /// difference to <see cref="Smile"/> what routing loses.
    /// </summary>
    /// <param name="rank">The rank of each expert's weight deltas.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The rank is below 1.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult LowRankOracle(int rank, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        return EvaluateOracle($"oracle routing, experts of rank {rank}, base non-linear parameters", rank, cancellationToken);
    }

    /// <summary>Fuses the pool into a temporary folder and evaluates the result.</summary>
    /// <param name="options">How to fuse.</param>
    /// <param name="observer">Told, task by task, where every token is routed; or null.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="SmileException">An option is out of range, or what <see cref="SmileFusion.Fuse"/> says.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Smile(SmileFusionOptions options, Func<string, IRoutingObserver>? observer = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var folder = new ScratchFolder();
        string output = Path.Combine(folder.Path, "fused");
        FusionReport report = new SmileFusion(options).Fuse(_pool, output, cancellationToken: cancellationToken);
        string shared = options.Shared switch
        {
            SharedParameters.AverageLeaves => " average_experts",
            SharedParameters.Average => " average_all",
            _ => "",
        };
        return Evaluate(
            $"{SmileSetting.From(options)}{shared}",
            _ => SmileModel.Load(output, _compute),
            sameForAll: true,
            report.FusedParameters,
            cancellationToken,
            observer);
    }

    /// <summary>
    /// Evaluates projection merging (arXiv 2408.10174, section 3): each task with its expert's weight deltas projected onto a zone of the
    /// pretrained weights.
    /// </summary>
    /// <param name="zone">The zone.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Each task's accuracy, and the model's size.</returns>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public MethodResult Projected(SubspaceZone zone, CancellationToken cancellationToken = default)
    {
        using WorkerPool threads = Threads(cancellationToken);
        return Evaluate(
            $"deltas projected onto zone {(zone == SubspaceZone.IIAndIII ? "II+III" : zone.ToString())}",
            task => Load(new ProjectionTensors(_pool, _manifest, Expert(task), zone, threads)),
            sameForAll: false,
            parameters: null,
            cancellationToken);
    }

    /// <summary>
    /// Evaluates SMILE at several settings. Every layer is decomposed once, at the largest ranks; the settings share its leading triplets.
    /// </summary>
    /// <param name="settings">The settings.</param>
    /// <param name="options">How to fuse apart from the settings; the defaults where null.</param>
    /// <param name="progress">Told after each setting; or null.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>One point per setting, in their order.</returns>
    /// <exception cref="SmileException">A setting is out of range.</exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public IReadOnlyList<SweepPoint> Sweep(
        IReadOnlyCollection<SmileSetting> settings,
        SmileFusionOptions? options = null,
        IProgress<SweepPoint>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var points = new Dictionary<SmileSetting, SweepPoint>();
        foreach (IGrouping<bool, SmileSetting> group in settings.Distinct().GroupBy(setting => setting.ExpertRank is null))
        {
            using FusedPool fused = Fuse([.. group], options, cancellationToken);
            foreach (SmileSetting setting in group)
            {
                points[setting] = new SweepPoint(setting, SmileSlice(fused, setting, cancellationToken: cancellationToken));
                progress?.Report(points[setting]);
            }
        }

        return [.. settings.Select(setting => points[setting])];
    }

    /// <summary>Reads a few rows of every task, without their labels.</summary>
    /// <param name="rowsPerTask">How many of each at most, taken evenly from all.</param>
    /// <returns>One sample per task.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The number is below 1.</exception>
    public IReadOnlyList<TaskSample> Sample(int rowsPerTask)
        => [.. _tasks.Select(task => new TaskSample(
            task.Name, new Dictionary<string, HostTensor> { [_manifest.Inputs[0].Name] = task.ReadSample(rowsPerTask) }))];

    /// <summary>Measures how the tasks' inputs overlap on the pretrained network, which predicts routing.</summary>
    /// <param name="rowsPerTask">Rows of each task to run.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <returns>The linear layers in the order of the computation.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The number of rows is below 1.</exception>
    /// <exception cref="OperationCanceledException">The measurement was cancelled.</exception>
    public IReadOnlyList<LayerInputOverlap> InputOverlap(int rowsPerTask, CancellationToken cancellationToken = default)
        => LayerInputOverlap.Measure(_pool.Pretrained, Sample(rowsPerTask), _compute, cancellationToken);

    /// <summary>Fuses the pool once for several settings, at their largest ranks.</summary>
    internal FusedPool Fuse(IReadOnlyCollection<SmileSetting> settings, SmileFusionOptions? options, CancellationToken cancellationToken)
    {
        options ??= new SmileFusionOptions();
        SmileFusionOptions largest = options with
        {
            ExpertRank = settings.Any(setting => setting.ExpertRank is null) ? null : settings.Max(setting => setting.ExpertRank),
            RouterRank = settings.Max(setting => setting.RouterRank),
            ExpertsPerToken = settings.Max(setting => setting.ExpertsPerToken),
            Threads = options.Threads ?? _compute?.Threads,
        };
        return new FusedPool(_pool, largest, cancellationToken);
    }

    /// <summary>Evaluates one setting of a fused pool.</summary>
    internal MethodResult SmileSlice(
        FusedPool fused, SmileSetting setting, Func<string, IRoutingObserver>? observer = null, CancellationToken cancellationToken = default)
    {
        using FusedSlice slice = fused.Slice(setting);
        return Evaluate(
            setting.ToString(), _ => FusedPool.Load(slice, _compute), sameForAll: true, slice.CountParameters(), cancellationToken, observer);
    }

    /// <summary>Compares router scores with what experts do, on a few rows of each task.</summary>
    internal IReadOnlyList<ScoreCorrelation> ScoreCorrelations(FusedPool fused, int rowsPerTask, CancellationToken cancellationToken)
    {
        using SmileModel model = SmileModel.Load(fused.Folder.Config, fused.Folder, _compute);
        return ScoreCorrelation.Measure(fused.Folder, model, Sample(rowsPerTask), cancellationToken);
    }

    /// <summary>Measures how errors of the class token accumulate over the blocks, for SMILE and for the plain low-rank approximation.</summary>
    internal ErrorAccumulation ErrorAccumulation(FusedPool fused, SmileSetting setting, int rowsPerTask, CancellationToken cancellationToken)
    {
        var smile = new List<IReadOnlyList<BlockError>>();
        var lowRank = new List<IReadOnlyList<BlockError>>();
        using SmileModel routed = FusedPool.Load(fused.Slice(setting), _compute);
        foreach (TaskSample sample in Sample(rowsPerTask))
        {
            using SmileModel fineTuned = Load(Expert(sample.Task).Parameters);
            using SmileModel truncated = FusedPool.Load(fused.LowRank(sample.Task, setting.ExpertRank), _compute);
            smile.Add(BlockError.Measure(fineTuned, routed, sample, cancellationToken));
            lowRank.Add(BlockError.Measure(fineTuned, truncated, sample, cancellationToken));
        }

        return new ErrorAccumulation(BlockError.Mean(smile), BlockError.Mean(lowRank));
    }

    /// <inheritdoc/>
    public void Dispose() => _tasks.ForEach(task => task.Dispose());

    private Expert Expert(string task) => _pool.Experts.First(expert => expert.Name == task);

    private MethodResult Merged(string name, MergeMethod method, CancellationToken cancellationToken)
    {
        using ITensorSource merged = method.Merge(_pool, _compute?.Threads, cancellationToken);
        return Evaluate(name, _ => Load(merged), sameForAll: true, _pool.Pretrained.CountParameters(), cancellationToken);
    }

    private MethodResult EvaluateOracle(string method, int? rank, CancellationToken cancellationToken)
    {
        using WorkerPool threads = Threads(cancellationToken);
        var taskVectors = new TaskVectors(_pool, _manifest, threads, cancellationToken);
        return Evaluate(
            method,
            task =>
            {
                int index = _pool.Experts.ToList().IndexOf(Expert(task));
                return Load(new MergedTensors(_pool, $"{task} over {_pool.Pretrained.Location}", new OracleMerger(taskVectors, index, rank)));
            },
            sameForAll: false,
            parameters: null,
            cancellationToken);
    }

    private WorkerPool Threads(CancellationToken cancellationToken) => new(_compute?.Threads ?? Environment.ProcessorCount, cancellationToken);

    private SmileModel Load(ITensorSource source) => SmileModel.Load(_pool.Pretrained.Config, source, _compute);

    private MethodResult Evaluate(
        string method,
        Func<string, SmileModel> load,
        bool sameForAll,
        long? parameters,
        CancellationToken cancellationToken,
        Func<string, IRoutingObserver>? observer = null)
    {
        var accuracy = new Dictionary<string, double>();
        SmileModel? model = null;
        try
        {
            foreach (TaskData task in _tasks)
            {
                if (model is null || !sameForAll)
                {
                    model?.Dispose();
                    model = load(task.Name);
                }

                accuracy[task.Name] = Evaluation.Accuracy(model, _heads[task.Name], task, observer?.Invoke(task.Name), cancellationToken);
            }
        }
        finally
        {
            model?.Dispose();
        }

        return new MethodResult(method, accuracy, parameters);
    }
}
