using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline.MLNet;

/// <summary>The transformer with ML.NET's trainers, normalisers and evaluators, which need ML.NET itself.</summary>
[TestClass]
[TestCategory("MLNet")]
public sealed class SmileWithTrainersTests : PipelineTest
{
    private const int Classes = 3;

    /// <summary>Rows around one centre per class.</summary>
    private static readonly Example[] Examples = [.. TinyModels.Rows(120, TinyModels.MlpInputs).Select((noise, i) =>
        new Example { Label = $"class {i % Classes}", Features = [.. noise.Select((value, j) => (0.3f * value) + (j % Classes == i % Classes ? 2f : 0f))] })];

    [TestMethod]
    public void ATrainerLearnsFromEmbeddingsBetweenNormalizers()
    {
        IDataView data = Ml.Data.LoadFromEnumerable(Examples);
        ITransformer model = Pipeline().Fit(data);
        IDataView scored = model.Transform(data);

        Assert.IsGreaterThan(0.9, Ml.MulticlassClassification.Evaluate(scored).MicroAccuracy);

        using var file = new MemoryStream();
        Ml.Model.Save(model, data.Schema, file);
        file.Position = 0;
        ITransformer loaded = new MLContext().RegisterSmile().Model.Load(file, out _);
        AssertSameBits(Column(scored, "Score"), Column(loaded.Transform(data), "Score"));
        using var engine = Ml.Model.CreatePredictionEngine<Example, Prediction>(loaded);
        AssertSameBits(Column(scored, "Score"), [.. Examples.Select(example => engine.Predict(example).Score)]);
    }

    [TestMethod]
    public void CrossValidationFitsItInEveryFold()
    {
        var folds = Ml.MulticlassClassification.CrossValidate(Ml.Data.LoadFromEnumerable(Examples), Pipeline(), numberOfFolds: 3);

        Assert.HasCount(3, folds);
        foreach (var fold in folds)
        {
            Assert.IsGreaterThan(0.85, fold.Metrics.MicroAccuracy);
        }
    }

    [TestMethod]
    public void EvaluatorsTakeTheHeadsColumns()
    {
        SmileOptions options = OptionsWithHeads;
        options.InputColumnName = "Features";
        IDataView data = Ml.Data.LoadFromEnumerable(Examples);
        using SmileTransformer transformer = Ml.Transforms.Smile(Mlp, options).Fit(data);
        IDataView scored = transformer.Transform(data);
        uint[] predicted = [.. scored.GetColumn<uint>("signs.PredictedLabel")];

        // Labels in the head's own keys, every fourth of them wrong: the evaluator must count exactly these.
        var labels = new SignLabel[predicted.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            uint label = i % 4 == 0 ? (predicted[i] % Classes) + 1 : predicted[i];

            // A key counts from 1 in a column, but from 0 in a class.
            labels[i] = new SignLabel { Features = Examples[i].Features, Sign = label - 1 };
        }

        MulticlassClassificationMetrics metrics = Ml.MulticlassClassification.Evaluate(
            transformer.Transform(Ml.Data.LoadFromEnumerable(labels)), "Sign", "signs.Score", "signs.PredictedLabel");
        Assert.AreEqual(0.75, metrics.MicroAccuracy, 1e-9);
        Assert.AreEqual(Classes, metrics.ConfusionMatrix.NumberOfClasses);
    }

    [TestMethod]
    public void WordsBecomeTokensInThePipelineAndClassifiersAreEvaluated()
    {
        const int Words = 10;
        string[] labels = ["no", "yes"];
        Sentence[] sentences = [.. Enumerable.Range(0, 40).Select(i => new Sentence
        {
            Text = string.Join(' ', Enumerable.Range(0, 1 + (i % 7)).Select(j => $"w{((i * 3) + (j * j)) % Words}")),
            Label = labels[i % 2],
        })];
        IDataView data = Ml.Data.LoadFromEnumerable(sentences);
        using ModelPool pool = ModelPool.Open(
            TinyTextModels.WritePool(Path.Combine(Folder, "bert"), "bert", """{"id2label":{"0":"no","1":"yes"}}""", classes: 2));

        KeyValuePair<string, long>[] vocabulary = [.. Enumerable.Range(0, Words).Select(id => KeyValuePair.Create($"w{id}", (long)id + 3))];
        using TransformerChain<SmileTransformer> model = Ml.Transforms.Text.TokenizeIntoWords("Words", "Text")
            .Append(Ml.Transforms.Conversion.MapValue("Ids", vocabulary, "Words"))
            .Append(Ml.Transforms.Conversion.MapValueToKey("Label", keyData: Ml.Data.LoadFromEnumerable(labels.Select(label => new Name { Label = label }))))
            .Append(Ml.Transforms.Smile(pool, new SmileOptions { InputColumnName = "Ids", OutputColumnName = "Logits", ExpertRank = 3, RouterRank = 2 }))
            .Fit(data);
        IDataView scored = model.Transform(data);
        uint[] expected = [.. scored.GetColumn<uint>("Label")], predicted = [.. scored.GetColumn<uint>("PredictedLabel")];

        MulticlassClassificationMetrics metrics = Ml.MulticlassClassification.Evaluate(scored);
        Assert.AreEqual(expected.Zip(predicted).Count(pair => pair.First == pair.Second) / (double)sentences.Length, metrics.MicroAccuracy, 1e-9);
        Assert.HasCount(2, predicted.Distinct());
    }

    [TestMethod]
    public void CursorsReadAheadInParallelDownstream()
    {
        IDataView data = Ml.Data.LoadFromEnumerable(Examples);
        SmileOptions options = OptionsWithHeads;
        options.InputColumnName = "Features";
        options.BatchSize = 16;
        using SmileTransformer transformer = Ml.Transforms.Smile(Mlp, options).Fit(data);
        IDataView scored = transformer.Transform(data);
        float[][] expected = Column(scored, "Embedding");

        // A normaliser asks for the rows in parallel where it can.
        IDataView normalized = Ml.Transforms.NormalizeMinMax("Scaled", "Embedding").Fit(scored).Transform(Ml.Data.Cache(scored));
        AssertSameBits(expected, Column(normalized, "Embedding"));
        Assert.AreEqual(1f, Column(normalized, "Scaled").SelectMany(row => row).Max(), 1e-6f);
    }

    private EstimatorChain<Microsoft.ML.Transforms.KeyToValueMappingTransformer> Pipeline()
    {
        SmileOptions options = OptionsWithHeads;
        options.InputColumnName = "Features";
        return Ml.Transforms.NormalizeMinMax("Features")
            .Append(Ml.Transforms.Conversion.MapValueToKey("Label"))
            .Append(Ml.Transforms.Smile(Mlp, options))
            .Append(Ml.Transforms.NormalizeMeanVariance("Embedding"))
            .AppendCacheCheckpoint(Ml)
            .Append(Ml.MulticlassClassification.Trainers.SdcaMaximumEntropy("Label", "Embedding"))
            .Append(Ml.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
    }

    private sealed class Sentence
    {
        public string Text { get; set; } = "";

        public string Label { get; set; } = "";
    }

    private sealed class Name
    {
        public string Label { get; set; } = "";
    }

    private sealed class Example
    {
        public string Label { get; set; } = "";

        [VectorType(TinyModels.MlpInputs)]
        public float[] Features { get; set; } = [];
    }

    private sealed class Prediction
    {
        public float[] Score { get; set; } = [];
    }

    private sealed class SignLabel
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Features { get; set; } = [];

        [KeyType(Classes)]
        public uint Sign { get; set; }
    }
}
