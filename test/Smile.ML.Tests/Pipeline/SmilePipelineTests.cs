using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>The transformer among other parts of ML.NET: in chains, behind prediction engines, on caches.</summary>
[TestClass]
public sealed class SmilePipelineTests : PipelineTest
{
    private static readonly Input[] Inputs =
        [.. TinyModels.Rows(11, TinyModels.MlpInputs).Select((row, i) => new Input { Id = i, Left = row[..5], Right = row[5..] })];

    [TestMethod]
    public void TheExampleOfTheReadmeRuns()
    {
        var ml = new MLContext(seed: 0);
        IDataView images = Load(TinyModels.Rows(4, TinyModels.ClipPixels));
        string file = Path.Combine(Folder, "smile.zip");
        using var pool = ModelPool.Open(TinyModels.WriteClipPool(Path.Combine(Folder, "clip")));

        var pipeline = ml.Transforms.Smile(pool, new SmileOptions
        {
            InputColumnName = "Pixels",
            OutputColumnName = "Embedding",
            ExpertRank = 32,
            RouterRank = 16,
            ExpertsPerToken = 1,
        });
        ITransformer model = pipeline.Fit(images);
        var scored = model.Transform(images);
        ml.Model.Save(model, images.Schema, file);

        ITransformer loaded = ml.Model.Load(file, out DataViewSchema schema);
        Assert.AreEqual(images.Schema["Pixels"].Type, schema["Pixels"].Type);
        Assert.HasCount(4, Column(scored, "Embedding"));
        AssertSameBits(Column(scored, "Embedding"), Column(loaded.Transform(images), "Embedding"));
    }

    [TestMethod]
    public void FittingNeverReadsRows()
    {
        var source = new ObservedDataView(TinyModels.Rows(3, TinyModels.MlpInputs));
        using SmileTransformer transformer = Ml.Transforms.Smile(Mlp, OptionsWithHeads).Fit(source);

        Assert.AreEqual(0, source.RowsRead);
    }

    [TestMethod]
    public void APredictionEngineInAChainAgreesWithTransform()
    {
        IDataView data = Ml.Data.LoadFromEnumerable(Inputs);
        ITransformer model = Chain().Fit(data);
        Prediction[] expected = [.. Ml.Data.CreateEnumerable<Prediction>(model.Transform(data), reuseRowObject: false)];
        using var engine = Ml.Model.CreatePredictionEngine<Input, Prediction>(model);
        Prediction[] found = [.. Inputs.Select(engine.Predict)];

        AssertSameBits([.. expected.Select(row => row.Embedding)], [.. found.Select(row => row.Embedding)]);
        AssertSameBits([.. expected.Select(row => row.Score)], [.. found.Select(row => row.Score)]);
        for (int i = 0; i < Inputs.Length; i++)
        {
            Assert.AreEqual(i, found[i].Id);
            Assert.AreEqual(expected[i].Class, found[i].Class);
            Assert.AreEqual($"digits {Array.IndexOf(found[i].Score, found[i].Score.Max())}", found[i].Class);
        }
    }

    [TestMethod]
    public void AChainSavesAndLoadsWithItsNeighbours()
    {
        IDataView data = Ml.Data.LoadFromEnumerable(Inputs);
        using TransformerChain<ITransformer> model = Chain().Fit(data);
        using var file = new MemoryStream();
        Ml.Model.Save(model, data.Schema, file);
        file.Position = 0;
        ITransformer loaded = new MLContext().RegisterSmile().Model.Load(file, out _);

        AssertSameBits(Column(model.Transform(data), "Copy"), Column(loaded.Transform(data), "Copy"));
        CollectionAssert.AreEqual(
            model.Transform(data).GetColumn<string>("Class").ToArray(), loaded.Transform(data).GetColumn<string>("Class").ToArray());
        ((IDisposable)loaded).Dispose();
    }

    [TestMethod]
    public void SeveralInOneChainStayApart()
    {
        SmileOptions first = Options, second = Options;
        (first.OutputColumnName, second.OutputColumnName, second.ExpertRank) = ("First", "Second", null);
        IDataView data = Load(TinyModels.Rows(6, TinyModels.MlpInputs));
        using TransformerChain<SmileTransformer> model = Ml.Transforms.Smile(Mlp, first).Append(Ml.Transforms.Smile(Mlp, second)).Fit(data);
        using var file = new MemoryStream();
        Ml.Model.Save(model, data.Schema, file);
        file.Position = 0;
        IDataView expected = model.Transform(data), found = new MLContext().RegisterSmile().Model.Load(file, out _).Transform(data);

        AssertSameBits(Column(expected, "First"), Column(found, "First"));
        AssertSameBits(Column(expected, "Second"), Column(found, "Second"));
        CollectionAssert.AreNotEqual(Column(found, "First")[0], Column(found, "Second")[0]);
    }

    [TestMethod]
    public void AnEstimatorKeepsTheOptionsItWasMadeWith()
    {
        SmileOptions options = Options;
        IDataView data = Load(TinyModels.Rows(5, TinyModels.MlpInputs));
        SmileEstimator estimator = Ml.Transforms.Smile(Mlp, options);
        options.ExpertRank = null;
        options.BatchSize = 1;
        options.OutputColumnName = "Other";
        options.Keep.Add("*");
        using SmileTransformer expected = Fit(Options), found = estimator.Fit(data);
        AssertSameBits(Column(expected.Transform(data), "Embedding"), Column(found.Transform(data), "Embedding"));
    }

    [TestMethod]
    public void CachesFiltersAndShufflesKeepRowsTogether()
    {
        SmileOptions options = Options;
        options.BatchSize = 4;
        IDataView data = Load(TinyModels.Rows(30, TinyModels.MlpInputs));
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(data);
        Dictionary<int, float[]> expected = Read(scored);
        Assert.HasCount(30, expected);

        foreach (IDataView view in (IDataView[])[Ml.Data.Cache(scored), transformer.Transform(Ml.Data.Cache(data)), Ml.Data.ShuffleRows(Ml.Data.Cache(scored), seed: 3)])
        {
            Dictionary<int, float[]> found = Read(view);
            AssertSameBits([.. expected.Values], [.. found.OrderBy(row => row.Key).Select(row => row.Value)]);
        }

        Dictionary<int, float[]> taken = Read(Ml.Data.TakeRows(Ml.Data.SkipRows(scored, 10), 5));
        AssertSameBits([.. Enumerable.Range(10, 5).Select(id => expected[id])], [.. taken.Values]);
        Assert.HasCount(3, scored.Preview(3).RowView);
    }

    [TestMethod]
    public void FiltersDropRowsBeforeAndBehind()
    {
        SmileOptions options = OptionsWithHeads;
        options.BatchSize = 4;
        var rows = TinyModels.Rows(30, TinyModels.MlpInputs).Select((pixels, i) => new Weighted { Id = i, Weight = i % 5, Pixels = pixels });
        IDataView data = Ml.Data.LoadFromEnumerable(rows);
        using SmileTransformer transformer = Ml.Transforms.Smile(Mlp, options).Fit(data);
        Dictionary<int, float[]> all = Read(transformer.Transform(data));
        IDataView before = transformer.Transform(Ml.Data.FilterRowsByColumn(data, "Weight", lowerBound: 1, upperBound: 3));
        IDataView behind = Ml.Data.FilterRowsByColumn(transformer.Transform(data), "Weight", lowerBound: 1, upperBound: 3);
        foreach (Dictionary<int, float[]> kept in new[] { Read(before), Read(behind) })
        {
            int[] ids = [.. Enumerable.Range(0, 30).Where(i => i % 5 is 1 or 2)];
            CollectionAssert.AreEqual(ids, kept.Keys.ToArray());
            AssertSameBits([.. ids.Select(id => all[id])], [.. kept.Values]);
        }
    }

    [TestMethod]
    public void ACacheCheckpointKeepsLaterPartsFromScoringAgain()
    {
        var source = new ObservedDataView(TinyModels.Rows(9, TinyModels.MlpInputs));
        EstimatorChain<SmileTransformer> scoring = new EstimatorChain<ITransformer>().Append(Ml.Transforms.Smile(Mlp, OptionsWithHeads));

        // Two parts that each read all rows of the scored column as they are fitted.
        Fit(scoring);
        int twice = source.PixelsRead;
        source.PixelsRead = 0;
        Fit(scoring.AppendCacheCheckpoint(Ml));

        Assert.AreEqual(18, twice);
        Assert.AreEqual(9, source.PixelsRead);

        void Fit(EstimatorChain<SmileTransformer> start) => start
            .Append(new ReadingEstimator("digits.PredictedLabel")).Append(new ReadingEstimator("digits.PredictedLabel")).Fit(source);
    }

    [TestMethod]
    public void ColumnsOfTheSameNameHideEarlierOnesAndKeepThem()
    {
        SmileOptions second = Options, third = Options;
        second.ExpertRank = null;
        third.OutputColumnName = "Pixels";
        float[][] rows = TinyModels.Rows(6, TinyModels.MlpInputs);
        IDataView data = Load(rows);
        using TransformerChain<SmileTransformer> model = Ml.Transforms.Smile(Mlp, Options)
            .Append(Ml.Transforms.Smile(Mlp, second)).Append(Ml.Transforms.Smile(Mlp, third)).Fit(data);
        IDataView scored = model.Transform(data);
        DataViewSchema.Column[] columns = [.. scored.Schema.Where(column => column.Name is "Embedding" or "Pixels").OrderBy(column => column.Index)];

        CollectionAssert.AreEqual(new[] { "Pixels", "Embedding", "Embedding", "Pixels" }, columns.Select(column => column.Name).ToArray());
        CollectionAssert.AreEqual(new[] { true, true, false, false }, columns.Select(column => column.IsHidden).ToArray());
        using SmileTransformer alone = Fit(Options), dense = Fit(second);
        AssertSameBits(rows, [.. scored.GetColumn<float[]>(columns[0])]);
        AssertSameBits(Column(alone.Transform(data), "Embedding"), [.. scored.GetColumn<float[]>(columns[1])]);
        AssertSameBits(Column(dense.Transform(data), "Embedding"), Column(scored, "Embedding"));
        AssertSameBits(Column(alone.Transform(data), "Embedding"), Column(scored, "Pixels"));
    }

    [TestMethod]
    public void ALiveRowIsScoredOnceForAllItsColumns()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        var source = new ObservedDataView(TinyModels.Rows(3, TinyModels.MlpInputs));
        IRowToRowMapper mapper = ((ITransformer)transformer).GetRowToRowMapper(source.Schema);
        DataViewSchema.Column[] wanted = [mapper.OutputSchema["Embedding"], mapper.OutputSchema["digits.Score"], mapper.OutputSchema["signs.Score"]];
        using DataViewRowCursor cursor = source.GetRowCursor(mapper.GetDependencies(wanted));
        using DataViewRow row = mapper.GetRow(cursor, wanted);
        ValueGetter<VBuffer<float>>[] getters = [.. wanted.Select(row.GetGetter<VBuffer<float>>)];
        var found = new List<float[]>();
        while (cursor.MoveNext())
        {
            foreach (ValueGetter<VBuffer<float>> get in getters.Concat(getters))
            {
                VBuffer<float> value = default;
                get(ref value);
                found.Add([.. value.DenseValues()]);
            }
        }

        Assert.AreEqual(3, source.PixelsRead);
        IDataView scored = transformer.Transform(source);
        float[][][] columns = [.. wanted.Select(column => Column(scored, column.Name))];
        AssertSameBits([.. Enumerable.Range(0, 18).Select(i => columns[i % 3][i / 6])], found);
    }

    private EstimatorChain<ITransformer> Chain()
    {
        SmileOptions options = OptionsWithHeads;
        options.InputColumnName = "Features";
        return new EstimatorChain<ITransformer>()
            .Append((IEstimator<ITransformer>)Ml.Transforms.Concatenate("Features", "Left", "Right"))
            .Append((IEstimator<ITransformer>)Ml.Transforms.Smile(Mlp, options))
            .Append((IEstimator<ITransformer>)Ml.Transforms.Conversion.MapKeyToValue("Class", "digits.PredictedLabel"))
            .Append((IEstimator<ITransformer>)Ml.Transforms.CopyColumns("Copy", "Embedding"));
    }

    private static Dictionary<int, float[]> Read(IDataView data)
    {
        var rows = new Dictionary<int, float[]>();
        using DataViewRowCursor cursor = data.GetRowCursor([data.Schema["Id"], data.Schema["Embedding"]]);
        ValueGetter<int> getId = cursor.GetGetter<int>(data.Schema["Id"]);
        ValueGetter<VBuffer<float>> getEmbedding = cursor.GetGetter<VBuffer<float>>(data.Schema["Embedding"]);
        while (cursor.MoveNext())
        {
            int id = 0;
            VBuffer<float> embedding = default;
            getId(ref id);
            getEmbedding(ref embedding);
            rows.Add(id, [.. embedding.DenseValues()]);
        }

        return rows;
    }

    /// <summary>A part that reads a column as it is fitted, and changes nothing.</summary>
    private sealed class ReadingEstimator(string column) : IEstimator<ITransformer>
    {
        public ITransformer Fit(IDataView input)
        {
            Assert.IsGreaterThan(0, input.GetColumn<uint>(column).Count());
            return new MLContext().Transforms.CopyColumns("Copy", column).Fit(input);
        }

        public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;
    }

    private sealed class Weighted
    {
        public int Id { get; set; }

        public float Weight { get; set; }

        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = [];
    }

    private sealed class Input
    {
        public int Id { get; set; }

        [VectorType(5)]
        public float[] Left { get; set; } = [];

        [VectorType(7)]
        public float[] Right { get; set; } = [];
    }

    private sealed class Prediction
    {
        public int Id { get; set; }

        public float[] Embedding { get; set; } = [];

        [ColumnName("digits.Score")]
        public float[] Score { get; set; } = [];

        public string Class { get; set; } = "";
    }
}
