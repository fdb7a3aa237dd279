using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

[TestClass]
public sealed class SmileSchemaTests : PipelineTest
{
    [TestMethod]
    public void ThePromisedSchemaIsTheDatas()
    {
        IDataView data = Load(TinyModels.Rows(2, TinyModels.MlpInputs));
        SmileEstimator estimator = Ml.Transforms.Smile(Mlp, OptionsWithHeads);
        SchemaShape promise = estimator.GetOutputSchema(Internals.Shape(data.Schema));
        using SmileTransformer transformer = estimator.Fit(data);

        string[] expected = [.. Internals.Shape(transformer.GetOutputSchema(data.Schema)).SelectMany(Describe)];
        CollectionAssert.AreEqual(expected, promise.SelectMany(Describe).ToArray());
        CollectionAssert.AreEqual(expected, Internals.Shape(transformer.Transform(data).Schema).SelectMany(Describe).ToArray());
        CollectionAssert.IsSubsetOf(
            new[] { "Embedding: Vector Single False", "digits.Score/SlotNames: Vector String False", "signs.PredictedLabel: Scalar UInt32 True", "signs.PredictedLabel/KeyValues: Vector String False" },
            expected);
    }

    [TestMethod]
    public void ColumnsCarryClassNamesAndMarksForEvaluators()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        DataViewSchema schema = transformer.GetOutputSchema(Load(TinyModels.Rows(1, TinyModels.MlpInputs)).Schema);

        Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, TinyModels.MlpOutputs), schema["Embedding"].Type);
        uint[] sets = [.. ((string[])["digits", "signs"]).Select(task =>
        {
            DataViewSchema.Column score = schema[$"{task}.Score"], label = schema[$"{task}.PredictedLabel"];
            int classes = task == "digits" ? 5 : 3;
            string[] names = [.. Enumerable.Range(0, classes).Select(c => $"{task} {c}")];
            Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, classes), score.Type);
            Assert.AreEqual(new KeyDataViewType(typeof(uint), classes), label.Type);
            VBuffer<ReadOnlyMemory<char>> text = default;
            score.GetSlotNames(ref text);
            CollectionAssert.AreEqual(names, text.DenseValues().Select(name => name.ToString()).ToArray());
            label.GetKeyValues(ref text);
            CollectionAssert.AreEqual(names, text.DenseValues().Select(name => name.ToString()).ToArray());
            Assert.AreEqual("MulticlassClassification", Annotation<ReadOnlyMemory<char>>(score, "ScoreColumnKind").ToString());
            Assert.AreEqual("Score", Annotation<ReadOnlyMemory<char>>(score, "ScoreValueKind").ToString());
            Assert.AreEqual("PredictedLabel", Annotation<ReadOnlyMemory<char>>(label, "ScoreValueKind").ToString());
            Assert.AreEqual(Annotation<uint>(score, "ScoreColumnSetId"), Annotation<uint>(label, "ScoreColumnSetId"));
            return Annotation<uint>(score, "ScoreColumnSetId");
        })];
        Assert.AreNotEqual(sets[0], sets[1]);
    }

    [TestMethod]
    [DataRow(new[] { 3, 8, 8 }, true)]
    [DataRow(new[] { 1, 3, 8, 8 }, true)]
    [DataRow(new[] { 192 }, true)]
    [DataRow(new[] { 8, 8, 3 }, false)]
    [DataRow(new[] { 24, 8 }, false)]
    public void AnImageWithOtherAxesIsAnotherImage(int[] dimensions, bool fits)
    {
        using ModelPool clip = ModelPool.Open(TinyModels.WriteClipPool(Path.Combine(Folder, "clip")));
        var schema = SchemaDefinition.Create(typeof(PixelRow));
        schema[nameof(PixelRow.Pixels)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, dimensions);
        IDataView data = Ml.Data.LoadFromEnumerable([new PixelRow { Pixels = new VBuffer<float>(192, new float[192]) }], schema);
        SmileEstimator estimator = Ml.Transforms.Smile(clip, Options);
        if (fits)
        {
            using SmileTransformer transformer = estimator.Fit(data);
            Assert.HasCount(1, Column(transformer.Transform(data), "Embedding"));
        }
        else
        {
            Assert.Contains(
                $"is Vector<Single, {string.Join(", ", dimensions)}>; expected Vector<Single, 3, 8, 8>",
                Assert.ThrowsExactly<SmileException>(() => estimator.Fit(data)).Message);
        }
    }

    [TestMethod]
    public void WrongColumnsAreNamedWithWhatWasFoundAndExpected()
    {
        const string Expected = "Vector<Single, 12>";
        IDataView good = Load(TinyModels.Rows(1, TinyModels.MlpInputs));
        using SmileTransformer transformer = Fit(Options);
        SmileEstimator estimator = Ml.Transforms.Smile(Mlp, Options);
        (IDataView Data, string Found, bool PromiseKnows)[] cases =
        [
            (Ml.Data.LoadFromEnumerable([new Other<float[]>()]), "is missing", true),
            (Ml.Data.LoadFromEnumerable([new Scalar()]), "Single", true),
            (Ml.Data.LoadFromEnumerable([new Doubles()]), "Double", true),
            (Ml.Data.LoadFromEnumerable([new AnySize()]), "Vector<Single> of unknown size", true),
            (Load(TinyModels.Rows(1, TinyModels.MlpInputs + 1)), "Vector<Single, 13>", false),
        ];
        foreach ((IDataView data, string found, bool promiseKnows) in cases)
        {
            var errors = new List<SmileException>
            {
                Assert.ThrowsExactly<SmileException>(() => transformer.Transform(data)),
                Assert.ThrowsExactly<SmileException>(() => transformer.GetOutputSchema(data.Schema)),
                Assert.ThrowsExactly<SmileException>(() => estimator.Fit(data)),
            };
            if (promiseKnows)
            {
                errors.Add(Assert.ThrowsExactly<SmileException>(() => estimator.GetOutputSchema(Internals.Shape(data.Schema))));
                errors.Add(Assert.ThrowsExactly<SmileException>(
                    () => Ml.Transforms.CopyColumns("Copy", "Id").Append(Ml.Transforms.Smile(Mlp, Options)).GetOutputSchema(Internals.Shape(data.Schema))));
            }

            foreach (SmileException error in errors)
            {
                Assert.Contains("Pixels", error.Message);
                Assert.Contains(found, error.Message);
                Assert.Contains(Expected, error.Message);
            }
        }

        Assert.HasCount(3, estimator.GetOutputSchema(Internals.Shape(good.Schema)));
    }

    [TestMethod]
    public void OptionsThatDontFitTheNetworkAreRefusedBeforeFitting()
    {
        AssertRefused(options => options.NetworkOutput = "logits", "logits", "output");
        AssertRefused(options => options.Heads.Add(TinyModels.Head("letters", 4, 7)), "letters", "7", "[6]");
        AssertRefused(options => options.Heads.Add(OptionsWithHeads.Heads[0]), "digits.Score");
        AssertRefused(options => options.HeadsFolder = Path.Combine(Folder, "none"), "none");
        AssertRefused(options => options.Tasks.Add("digits"), "digits", "HeadsFolder");
        AssertRefused(options => options.ExpertsPerToken = 4, "ExpertsPerToken is 4", "1 to 3");
        AssertRefused(options => options.InputColumnName = "", "column");
        AssertRefused(options => options.WeightsInZip = false, "ModelFolder");
        AssertRefused(options => options.BatchSize = 0, "BatchSize is 0");

        void AssertRefused(Action<SmileOptions> change, params string[] words)
        {
            SmileOptions options = OptionsWithHeads;
            change(options);
            SmileException error = Assert.ThrowsExactly<SmileException>(() => Ml.Transforms.Smile(Mlp, options));
            foreach (string word in words)
            {
                Assert.Contains(word, error.Message);
            }
        }
    }

    private static T Annotation<T>(DataViewSchema.Column column, string kind)
    {
        T value = default!;
        column.Annotations.GetValue(kind, ref value);
        return value;
    }

    private static IEnumerable<string> Describe(SchemaShape.Column column)
        => [$"{column.Name}: {column.Kind} {column.ItemType} {column.IsKey}",
            .. column.Annotations.OrderBy(annotation => annotation.Name).SelectMany(Describe).Select(text => $"{column.Name}/{text}")];

    private sealed class Other<T>
    {
        public int Id { get; set; }

        [VectorType(12)]
        public T? Features { get; set; }
    }

    private sealed class Scalar
    {
        public int Id { get; set; }

        public float Pixels { get; set; }
    }

    private sealed class Doubles
    {
        public int Id { get; set; }

        [VectorType(12)]
        public double[]? Pixels { get; set; }
    }

    private sealed class AnySize
    {
        public int Id { get; set; }

        public float[]? Pixels { get; set; }
    }
}
