using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Language models that continue rows of tokens: the column of generated ids.</summary>
[TestClass]
public sealed class SmileGenerationTests : PipelineTest
{
    private static readonly long[][] Rows = TinyTextModels.Rows;
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 9 };
    private static readonly GenerationOptions Sampled = new() { MaxNewTokens = 12, Temperature = 4, TopK = 30, TopP = 0.95, Seed = 11 };

    [TestMethod]
    [DataRow("mistral", """{"sliding_window":6,"eos_token_id":[3,4]}""")]
    [DataRow("llama", """{"tie_word_embeddings":true,"eos_token_id":7}""")]
    [DataRow("qwen2", "{}")]
    [DataRow("t5", "{}")]
    public void RowsAreContinuedTogetherAsEachAlone(string type, string changes)
    {
        using ModelPool pool = Pool(type, changes);
        foreach (GenerationOptions generation in new[] { Greedy, Sampled, Sampled with { StopTokens = [.. Enumerable.Range(0, 25)] } })
        {
            var lengths = new HashSet<int>();
            foreach (int batchSize in new[] { 1, 5, 64 })
            {
                SmileOptions options = TextOptions(generation);
                options.BatchSize = batchSize;
                using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(Load(Rows));
                long[][] expected = [.. Rows.Select(row => Alone(transformer.Model, row, generation))];
                AssertSame(expected, Ids(transformer.Transform(Load(Rows))));
                AssertSame([.. expected.Reverse()], Ids(transformer.Transform(Load([.. Rows.Reverse()]))));
                lengths.UnionWith(expected.Select(row => row.Length));
            }

            // Rows that end early run beside others that don't.
            Assert.IsTrue(generation.StopTokens is null || lengths.Count > 2);
        }
    }

    [TestMethod]
    public void AFreshProcessContinuesAsTheSavedPipeline()
    {
        GenerationOptions[] all = [Greedy, Sampled with { StopTokens = [1, 2, 3, 5, 8, 13] }, Sampled with { TopK = null, StopTokens = [] }];
        using ModelPool pool = Pool("mistral");
        foreach (GenerationOptions generation in all)
        {
            string model = Path.Combine(Folder, "model.zip"), prompts = Path.Combine(Folder, "prompts"), output = Path.Combine(Folder, "output");
            using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions(generation)).Fit(Load(Rows));
            long[][] expected = Ids(transformer.Transform(Load(Rows)));
            Ml.Model.Save(transformer, Load(Rows).Schema, model);
            File.WriteAllLines(prompts, Rows.Select(row => string.Join(' ', row)));
            var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Smile.ML.LoadCheck.dll"), "generate", model, prompts, output])
            {
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();

            Assert.AreEqual(0, process.ExitCode, errors);
            AssertSame(expected, [.. File.ReadLines(output).Select(line => line.Split(' ').Select(long.Parse).ToArray())]);

            // Saved once more from what was loaded.
            using var loaded = (SmileTransformer)Ml.Model.Load(model, out _);
            Ml.Model.Save(loaded, null, model);
            using var again = (SmileTransformer)Ml.Model.Load(model, out _);
            AssertSame(expected, Ids(again.Transform(Load(Rows))));
        }
    }

    [TestMethod]
    public void AllWaysInAndThePredictionEngineGenerate()
    {
        using ModelPool pool = Pool("llama");
        string folder = Path.Combine(Folder, "llama", "_pretrained_");
        SmileEstimator[] estimators =
        [
            Ml.Transforms.Smile(pool, TextOptions(Sampled)),
            Ml.Transforms.Merge(pool, new SimpleAverage(), new() { InputColumnName = nameof(Text.Ids), Generation = Sampled }),
            Ml.Transforms.ApplySmileModel(folder, new() { InputColumnName = nameof(Text.Ids), Generation = Sampled }),
        ];
        foreach (SmileEstimator estimator in estimators)
        {
            SchemaShape.Column promise = estimator.GetOutputSchema(Internals.Shape(Load(Rows).Schema)).Single(column => column.Name == "GeneratedIds");
            Assert.AreEqual(SchemaShape.Column.VectorKind.VariableVector, promise.Kind);
            SmileTransformer transformer = estimator.Fit(Load(Rows));
            IDataView scored = transformer.Transform(Load(Rows));
            Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Int64), scored.Schema["GeneratedIds"].Type);

            // The engine owns the transformer.
            using PredictionEngine<Text, Continuation> engine = Ml.Model.CreatePredictionEngine<Text, Continuation>(transformer);
            AssertSame(Ids(scored), [.. Rows.Select(row => engine.Predict(new Text { Ids = row }).GeneratedIds)]);
        }
    }

    [TestMethod]
    public void MaskedTokensAreNoPartOfThePrompt()
    {
        using ModelPool pool = Pool("mistral");
        SmileOptions options = TextOptions(Sampled);
        options.Inputs["attention_mask"] = nameof(Text.Mask);
        Text[] padded = [.. Rows.Select((row, i) => i % 2 == 0
            ? new Text { Ids = [2, 2, .. row], Mask = [0, 0, .. row.Select(_ => 1)] }
            : new Text { Ids = [.. row, 2], Mask = [.. row.Select(_ => 1), 0] })];
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(Ml.Data.LoadFromEnumerable(padded));

        AssertSame([.. Rows.Select(row => Alone(transformer.Model, row, Sampled))], Ids(transformer.Transform(Ml.Data.LoadFromEnumerable(padded))));
    }

    [TestMethod]
    public void OnlyWhatIsAskedForIsComputed()
    {
        // Nothing to continue in a row that is masked, and no logits of a token that is not in the vocabulary.
        using ModelPool mistral = Pool("mistral");
        SmileOptions options = TextOptions(Greedy);
        options.Inputs["attention_mask"] = nameof(Text.Mask);
        IDataView masked = Ml.Data.LoadFromEnumerable([new Text { Ids = [1, 2], Mask = [0, 0] }]);
        using SmileTransformer decoder = Ml.Transforms.Smile(mistral, options).Fit(masked);
        Assert.HasCount(1, Column(decoder.Transform(masked), "Vector"));
        Assert.Contains("masks all", Assert.ThrowsExactly<SmileException>(() => Ids(decoder.Transform(masked))).Message);

        using ModelPool t5 = Pool("t5");
        options = TextOptions(Greedy);
        options.Inputs["decoder_input_ids"] = nameof(Text.Target);
        IDataView wrong = Ml.Data.LoadFromEnumerable([new Text { Ids = [1, 2], Target = [TinyTextModels.Vocabulary] }]);
        using SmileTransformer encoderDecoder = Ml.Transforms.Smile(t5, options).Fit(wrong);
        Assert.HasCount(1, Ids(encoderDecoder.Transform(wrong)));
        Assert.Contains("input_ids holds 50", Assert.ThrowsExactly<SmileException>(() => Column(encoderDecoder.Transform(wrong), "Vector")).Message);
    }

    [TestMethod]
    public void CancellingEndsAGeneration()
    {
        using ModelPool pool = Pool("mistral", """{"sliding_window":4}""");
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions(new GenerationOptions { MaxNewTokens = 50_000_000, StopTokens = [] })).Fit(Load(Rows));
        Task<long[][]> reading = Task.Run(() => Ids(transformer.Transform(Load(Rows))));
        Assert.IsFalse(reading.Wait(200));
        CancelExecution(Ml);

        Assert.ThrowsExactly<OperationCanceledException>(() => reading.GetAwaiter().GetResult());
    }

    [TestMethod]
    public void WhatCannotBeGeneratedIsRefused()
    {
        using ModelPool bert = Pool("bert"), t5 = Pool("t5");
        Assert.Contains("GeneratedIds is to hold generated ids, but bert predicts no tokens", Error(bert, TextOptions(Greedy)));
        Assert.Contains("MaxNewTokens is 0", Error(t5, TextOptions(Greedy with { MaxNewTokens = 0 })));
        SmileOptions options = TextOptions(Greedy);
        options.GeneratedColumnName = "Vector";
        Assert.Contains("Two output columns are named Vector", Error(t5, options));
        options.GeneratedColumnName = "";
        Assert.Contains("expected a name", Error(t5, options));
        options = TextOptions(Greedy);
        options.NetworkOutput = "logits";
        Assert.Contains("logits needs the input decoder_input_ids", Error(t5, options));

        string Error(ModelPool pool, SmileOptions options) => Assert.ThrowsExactly<SmileException>(() => Ml.Transforms.Smile(pool, options)).Message;
    }

    private static SmileOptions TextOptions(GenerationOptions generation) => new()
    {
        InputColumnName = nameof(Text.Ids),
        OutputColumnName = "Vector",
        ExpertRank = 3,
        RouterRank = 2,
        Threads = 1,
        Generation = generation,
    };

    private ModelPool Pool(string type, string changes = "{}")
        => ModelPool.Open(TinyTextModels.WritePool(Path.Combine(Folder, type), type, changes));

    private IDataView Load(long[][] rows) => Ml.Data.LoadFromEnumerable(rows.Select(row => new Tokens { Ids = row }));

    private static long[][] Ids(IDataView data) => [.. data.GetColumn<long[]>("GeneratedIds")];

    /// <summary>Continues one sequence outside ML.NET.</summary>
    private static long[] Alone(SmileModel model, long[] ids, GenerationOptions generation)
        => model.Generate(new Dictionary<string, HostTensor> { ["input_ids"] = HostTensor.FromIntegers([1, ids.Length], ids) }, generation).Integers!;

    private static void AssertSame(long[][] expected, long[][] found)
        => CollectionAssert.AreEqual(expected.Select(row => string.Join(' ', row)).ToArray(), found.Select(row => string.Join(' ', row)).ToArray());

    private sealed class Tokens
    {
        public long[] Ids { get; set; } = [];
    }

    private sealed class Text
    {
        public long[] Ids { get; set; } = [];

        public int[] Mask { get; set; } = [];

        public int[] Target { get; set; } = [];
    }

    private sealed class Continuation
    {
        public long[] GeneratedIds { get; set; } = [];
    }
}
