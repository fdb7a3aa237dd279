using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Logging, cancellation and disposal.</summary>
[TestClass]
public sealed class SmileLifetimeTests : PipelineTest
{
    private static readonly float[][] Rows = TinyModels.Rows(9, TinyModels.MlpInputs);

    [TestMethod]
    public void FittingTellsTheContextsLogWhatWasFused()
    {
        var messages = new List<string>();
        Ml.Log += (_, message) => messages.Add($"{message.Source}: {message.RawMessage}");
        using SmileTransformer transformer = Fit(Options);

        string log = string.Join('\n', messages.Where(message => message.Contains(nameof(SmileEstimator), StringComparison.Ordinal)));
        Assert.Contains("Fused 3 experts (expert0, expert1, expert2) onto mlp", log);
        Assert.Contains("3 linear layers became routed, 0 stayed plain", log);
        for (int i = 0; i < 3; i++)
        {
            Assert.Contains($"Layer {i + 1} of 3 done: layers.{i}", log);
        }
    }

    [TestMethod]
    public void CancellingEndsFittingBetweenLayers()
    {
        var layers = new List<string>();
        Ml.Log += (_, message) =>
        {
            if (message.RawMessage.StartsWith("Layer", StringComparison.Ordinal))
            {
                layers.Add(message.RawMessage);
                CancelExecution(Ml);
            }
        };

        Assert.ThrowsExactly<OperationCanceledException>(() => Fit(Options));
        Assert.HasCount(1, layers);
    }

    [TestMethod]
    public void CancellingEndsScoringBetweenBlocks()
    {
        SmileOptions options = Options;
        options.BatchSize = 2;
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(Load(Rows));
        using DataViewRowCursor cursor = scored.GetRowCursor([scored.Schema["Embedding"]]);
        ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(scored.Schema["Embedding"]);
        VBuffer<float> value = default;
        for (int row = 0; row < 2; row++)
        {
            Assert.IsTrue(cursor.MoveNext());
            get(ref value);
        }

        CancelExecution(Ml);
        Assert.IsTrue(cursor.MoveNext());
        get(ref value);
        Assert.IsTrue(cursor.MoveNext());
        Assert.ThrowsExactly<OperationCanceledException>(() => get(ref value));
    }

    [TestMethod]
    public void NothingWorksAfterDisposal()
    {
        SmileTransformer transformer = Fit(Options);
        IDataView data = Load(Rows), scored = transformer.Transform(data);
        transformer.Dispose();
        transformer.Dispose();

        Assert.ThrowsExactly<ObjectDisposedException>(() => transformer.Transform(data));
        Assert.ThrowsExactly<ObjectDisposedException>(() => transformer.GetOutputSchema(data.Schema));
        Assert.ThrowsExactly<ObjectDisposedException>(() => Column(scored, "Embedding"));
        Assert.ThrowsExactly<ObjectDisposedException>(() => Ml.Model.Save(transformer, null, Stream.Null));
    }

    [TestMethod]
    public void EnginesAndChainsDisposeWhatTheyOwn()
    {
        IDataView data = Load(Rows);
        SmileTransformer kept = Fit(Options);
        Ml.Model.CreatePredictionEngine<Input, Output>(kept, new PredictionEngineOptions { OwnsTransformer = false }).Dispose();
        kept.Transform(data);
        Ml.Model.CreatePredictionEngine<Input, Output>(kept).Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => kept.Transform(data));

        TransformerChain<SmileTransformer> chain = Ml.Transforms.CopyColumns("Copy", "Id").Append(Ml.Transforms.Smile(Mlp, Options)).Fit(data);
        chain.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => chain.LastTransformer.Transform(data));
    }

    [TestMethod]
    [DoNotParallelize]
    public void TemporaryFilesAreGoneWhenTheTransformerIsAndAfterAFailure()
    {
        string temporary = Directory.CreateDirectory(Path.Combine(Folder, "tmp")).FullName;
        string variable = OperatingSystem.IsWindows() ? "TMP" : "TMPDIR";
        string? before = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, temporary);
        try
        {
            using (SmileTransformer transformer = Fit(Options))
            {
                // Unix lets the names of open files go, so that not even a crash leaves them behind.
                Assert.IsTrue(OperatingSystem.IsWindows() || Directory.GetFileSystemEntries(temporary).Length == 0);
                Ml.Model.Save(transformer, null, Path.Combine(Folder, "smile.zip"));
            }

            Assert.IsEmpty(Directory.GetFileSystemEntries(temporary));

            using var pool = ModelPool.Open(WithForeignExpert());
            Assert.Contains("expert1", Assert.ThrowsExactly<SmileException>(() => Ml.Transforms.Smile(pool, Options).Fit(Load(Rows))).Message);
            Assert.IsEmpty(Directory.GetFileSystemEntries(temporary));
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, before);
        }
    }

    /// <summary>Writes a pool in which one expert is of another architecture.</summary>
    private string WithForeignExpert()
    {
        string folder = TinyModels.WriteMlpPool(Path.Combine(Folder, "mixed"));
        Directory.Delete(Path.Combine(folder, "expert1"), recursive: true);
        TinyModels.WriteClipPool(Path.Combine(Folder, "clip"), experts: 1);
        Directory.Move(Path.Combine(Folder, "clip", "expert0"), Path.Combine(folder, "expert1"));
        return folder;
    }

    private sealed class Input
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = [];
    }

    private sealed class Output
    {
        public float[] Embedding { get; set; } = [];
    }
}
