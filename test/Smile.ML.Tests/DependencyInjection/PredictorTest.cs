using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>What the predictor's tests share: small models, predictors over them, rows.</summary>
public abstract class PredictorTest : IDisposable
{
    protected const int Width = 6;

    private protected TemporaryFolder Folder { get; } = new();

    private protected RecordingLogger Logger { get; } = new();

    private protected ManualTimeProvider Time { get; } = new();

    private protected PredictorMetrics Metrics { get; } = new(factory: null);

    public void Dispose()
    {
        Metrics.Dispose();
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Two perceptrons that differ: a pool's expert <c>a</c> and <c>b</c>.</summary>
    private protected (string First, string Second) WriteModels()
    {
        string pool = TestPool.WriteMlp(Folder, 2, [Width, 10, 4]);
        return (Path.Combine(pool, "a"), Path.Combine(pool, "b"));
    }

    private protected SmilePredictor Predictor(ObservedModel model, SmilePredictorOptions? options = null)
        => new("test", options ?? Options(), () => model, Metrics, Logger, Time);

    private protected SmilePredictorOptions Options(int maxBatchSize = 8, int queueCapacity = 100, TimeSpan maxWait = default)
        => new() { ModelFolder = Folder.Path, MaxBatchSize = maxBatchSize, QueueCapacity = queueCapacity, MaxWait = maxWait };

    private protected static Dictionary<string, HostTensor> Rows(int seed, int rows = 1, int width = Width)
        => new() { ["x"] = TestPool.Gaussian(new Random(seed), 1, rows, width) };

    private protected static float[] Expected(SmileModel model, IReadOnlyDictionary<string, HostTensor> inputs) => model.Run(inputs)["output"].Floats!;

    private protected static async Task<float[]> OutputAsync(ISmilePredictor predictor, IReadOnlyDictionary<string, HostTensor> inputs)
        => (await predictor.PredictAsync(inputs))["output"].Floats!;

    private protected static async Task<float[][]> OutputsAsync(IEnumerable<Task<IReadOnlyDictionary<string, HostTensor>>> answers)
        => [.. (await Task.WhenAll(answers)).Select(outputs => outputs["output"].Floats!)];
}
