using System.Collections.Concurrent;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

[TestClass]
public sealed class SmileScoringTests : PipelineTest
{
    private static readonly float[][] Rows = TinyModels.Rows(23, TinyModels.MlpInputs);

    [TestMethod]
    public void EmbeddingsAreTheModelsOwn()
    {
        string fused = Path.Combine(Folder, "fused");
        Fuse(fused);
        using SmileModel model = SmileModel.Load(fused);
        using SmileTransformer transformer = Fit(Options);

        AssertSameBits(Run(model, Rows), Column(transformer.Transform(Load(Rows)), "Embedding"));
    }

    [TestMethod]
    public void ImagesAreScoredByVisionModels()
    {
        float[][] images = TinyModels.Rows(5, TinyModels.ClipPixels);
        using var pool = ModelPool.Open(TinyModels.WriteClipPool(Path.Combine(Folder, "clip")));
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, Options).Fit(Load(images));
        float[][] embeddings = Column(transformer.Transform(Load(images)), "Embedding");

        Assert.HasCount(TinyModels.ClipEmbedding, embeddings[0]);
        AssertSameBits(Run(transformer.Model, images), embeddings);

        SmileOptions options = Options;
        options.NetworkOutput = "last_hidden_state";
        using SmileTransformer tokens = Ml.Transforms.Smile(pool, options).Fit(Load(images));
        Assert.AreEqual(
            new VectorDataViewType(NumberDataViewType.Single, 5, 16), tokens.GetOutputSchema(Load(images).Schema)["Embedding"].Type);
        float[] last = Column(tokens.Transform(Load(images)), "Embedding")[4];
        Assert.HasCount(5 * 16, last);

        options.Pooling = TokenPooling.LastToken;
        using SmileTransformer pooled = Ml.Transforms.Smile(pool, options).Fit(Load(images));
        AssertSameBits([last[64..]], [Column(pooled.Transform(Load(images)), "Embedding")[4]]);
    }

    [TestMethod]
    public void AnExpertsOwnHeadIsAnOutput()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = new HeadPool(folder, "vit").Pretrained(null).Expert("flowers", 3).Expert("pets", 5).Open();
        float[][] images = TinyModels.Rows(3, 2 * 9 * 9);
        SmileOptions options = Options;
        options.NetworkOutput = "pets.logits";
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(Load(images));
        float[][] logits = Column(transformer.Transform(Load(images)), "Embedding");
        var inputs = new Dictionary<string, HostTensor> { ["pixel_values"] = HostTensor.FromFloats([3, 2, 9, 9], [.. images.SelectMany(image => image)]) };
        AssertSameBits([.. transformer.Model.Run(inputs)["pets.logits"].Floats!.Chunk(5)], logits);
        uint[] labels = [.. transformer.Transform(Load(images)).GetColumn<uint>("PredictedLabel")];
        CollectionAssert.AreEqual(logits.Select(row => 1u + (uint)Array.IndexOf(row, row.Max())).ToArray(), labels);
        VBuffer<ReadOnlyMemory<char>> names = default;
        transformer.GetOutputSchema(Load(images).Schema)["PredictedLabel"].GetKeyValues(ref names);
        CollectionAssert.AreEqual(new[] { "pets 0", "pets 1", "pets 2", "pets 3", "pets 4" }, names.DenseValues().Select(name => name.ToString()).ToArray());
    }

    [TestMethod]
    public void AFusedFolderIsAppliedAsItIs()
    {
        string fused = Path.Combine(Folder, "fused");
        Fuse(fused);
        using SmileTransformer fitted = Fit(OptionsWithHeads);
        IDataView data = Load(Rows);
        using SmileTransformer applied = Ml.Transforms
            .ApplySmileModel(fused, WithHeads(new SmileScoringOptions { InputColumnName = "Pixels", BatchSize = 4 })).Fit(data);

        foreach (string column in (string[])["Embedding", "digits.Score", "signs.Score"])
        {
            AssertSameBits(Column(fitted.Transform(data), column), Column(applied.Transform(data), column));
        }

        Assert.IsTrue(Directory.Exists(fused));
    }

    [TestMethod]
    public void ScoresAreTheHeadsSoftmaxAndLabelsTheirLargest()
    {
        SmileOptions options = OptionsWithHeads;
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(Load(Rows));
        float[][] embeddings = Column(scored, "Embedding");
        foreach (TaskHead head in options.Heads)
        {
            float[][] scores = Column(scored, $"{head.Name}.Score");
            uint[] labels = [.. scored.GetColumn<uint>($"{head.Name}.PredictedLabel")];
            for (int row = 0; row < Rows.Length; row++)
            {
                var logits = new float[head.ClassNames.Count];
                head.Score(embeddings[row], logits);
                double sum = logits.Sum(logit => Math.Exp(logit));
                for (int c = 0; c < logits.Length; c++)
                {
                    Assert.AreEqual(Math.Exp(logits[c]) / sum, scores[row][c], 1e-6);
                }

                Assert.AreEqual((uint)Array.IndexOf(logits, logits.Max()) + 1, labels[row]);
            }

            Assert.IsGreaterThan(1, labels.Distinct().Count());
        }
    }

    [TestMethod]
    public void ARowThatIsNotANumberHasNoLabel()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        float[][] rows = [Rows[0], [.. Enumerable.Repeat(float.NaN, TinyModels.MlpInputs)], Rows[1]];
        uint[] labels = [.. transformer.Transform(Load(rows)).GetColumn<uint>("digits.PredictedLabel")];

        Assert.AreNotEqual(0u, labels[0]);
        Assert.AreEqual(0u, labels[1]);
        Assert.AreNotEqual(0u, labels[2]);
    }

    [TestMethod]
    public void SparseRowsScoreAsDenseOnes()
    {
        float[][] dense = [.. Rows.Select(row => row.Select((value, i) => i is 2 or 7 ? value : 0f).ToArray())];
        using SmileTransformer transformer = Fit(Options);
        IDataView sparse = LoadVectors(
            dense.Select(row => new VBuffer<float>(row.Length, 2, [row[2], row[7]], [2, 7])), TinyModels.MlpInputs);

        AssertSameBits(Column(transformer.Transform(Load(dense)), "Embedding"), Column(transformer.Transform(sparse), "Embedding"));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(64)]
    public void BatchesDontChangeABit(int batchSize)
    {
        SmileOptions options = OptionsWithHeads;
        options.BatchSize = batchSize;
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(Load(Rows));
        IDataView[] singles = [.. Rows.Select(row => transformer.Transform(Load([row])))];
        foreach (string column in (string[])["Embedding", "digits.Score", "signs.Score"])
        {
            AssertSameBits([.. singles.Select(single => Column(single, column)[0])], Column(scored, column));
        }
    }

    [TestMethod]
    public void CursorsReadNoFurtherThanTheNextBlock()
    {
        SmileOptions options = OptionsWithHeads;
        options.BatchSize = 8;
        using SmileTransformer transformer = Fit(options);
        var source = new ObservedDataView(TinyModels.Rows(100, TinyModels.MlpInputs));
        IDataView scored = transformer.Transform(source);
        Assert.AreEqual(0, source.RowsRead);

        Assert.AreEqual(2, scored.GetColumn<float[]>("Embedding").Take(2).Count());
        Assert.AreEqual(3, source.RowsRead);

        source.RowsRead = source.PixelsRead = 0;
        using (DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema.Where(column => column.Name is "Id" or "Embedding" or "digits.Score")))
        {
            ValueGetter<VBuffer<float>> getEmbedding = cursor.GetGetter<VBuffer<float>>(scored.Schema["Embedding"]);
            ValueGetter<VBuffer<float>> getScore = cursor.GetGetter<VBuffer<float>>(scored.Schema["digits.Score"]);
            VBuffer<float> value = default;
            while (cursor.MoveNext())
            {
                getEmbedding(ref value);
                getScore(ref value);
            }
        }

        Assert.AreEqual(100, source.RowsRead);
        Assert.AreEqual(100, source.PixelsRead);
    }

    [TestMethod]
    public void PassingColumnsThroughReadsAndScoresNothingElse()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        var source = new ObservedDataView(Rows);
        IDataView scored = transformer.Transform(source);

        CollectionAssert.AreEqual(Enumerable.Range(0, Rows.Length).ToArray(), scored.GetColumn<int>("Id").ToArray());
        Assert.AreEqual(0, source.PixelsRead);
        Assert.AreEqual(Rows.Length, scored.GetRowCount());
    }

    [TestMethod]
    public void OnlyTheHeadsThatAreReadCompute()
    {
        const int ManyClasses = 100_000;
        SmileOptions options = OptionsWithHeads;
        options.Heads.Add(TinyModels.Head("huge", ManyClasses, TinyModels.MlpOutputs));
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(new ObservedDataView(Rows));
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema.Where(column => column.Name.Contains('.', StringComparison.Ordinal)));
        ValueGetter<uint> getSign = cursor.GetGetter<uint>(scored.Schema["signs.PredictedLabel"]);
        ValueGetter<uint> getHuge = cursor.GetGetter<uint>(scored.Schema["huge.PredictedLabel"]);
        uint label = 0;
        cursor.MoveNext();
        getSign(ref label);

        long before = GC.GetAllocatedBytesForCurrentThread();
        cursor.MoveNext();
        getSign(ref label);
        Assert.IsLessThan(ManyClasses, GC.GetAllocatedBytesForCurrentThread() - before);
        getHuge(ref label);
        Assert.IsGreaterThan(ManyClasses, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void ValuesThatCantBeHeldAreReadRowByRow()
    {
        using SmileTransformer transformer = Fit(Options);
        var source = new ObservedDataView(Rows);
        IDataView scored = transformer.Transform(source);
        float[][] expected = Column(scored, "Embedding");
        source.RowsRead = 0;
        using DataViewRowCursor cursor = scored.GetRowCursor(scored.Schema);
        ValueGetter<ObservedDataView.Handle> getHandle = cursor.GetGetter<ObservedDataView.Handle>(scored.Schema["Handle"]);
        ValueGetter<VBuffer<float>> getEmbedding = cursor.GetGetter<VBuffer<float>>(scored.Schema["Embedding"]);
        ObservedDataView.Handle handle = new();
        VBuffer<float> embedding = default;
        for (int row = 0; cursor.MoveNext(); row++)
        {
            getEmbedding(ref embedding);
            getHandle(ref handle);
            Assert.AreEqual(row, handle.Row);
            Assert.AreEqual(row + 1, source.RowsRead);
            AssertSameBits([expected[row]], [[.. embedding.DenseValues()]]);
        }

        Assert.AreEqual(Rows.Length, source.RowsRead);
    }

    [TestMethod]
    public void CursorSetsAndShuffledCursorsGiveEachRowItsOwnScores()
    {
        SmileOptions options = Options;
        options.BatchSize = 4;
        using SmileTransformer transformer = Fit(options);
        IDataView scored = transformer.Transform(new ObservedDataView(Rows));
        float[][] expected = Column(scored, "Embedding");
        DataViewSchema.Column[] columns = [scored.Schema["Id"], scored.Schema["Embedding"]];
        Assert.IsTrue(scored.CanShuffle);

        foreach (Random? random in (Random?[])[null, new Random(5)])
        {
            DataViewRowCursor[] set = scored.GetRowCursorSet(columns, 3, random);
            var found = new ConcurrentDictionary<int, float[]>();
            Parallel.ForEach(set, cursor =>
            {
                foreach ((int id, ulong rowId, float[] embedding, long batch, long position) in Read(cursor))
                {
                    Assert.AreEqual((ulong)id, rowId);
                    Assert.AreEqual(position, batch);
                    Assert.IsTrue(found.TryAdd(id, embedding));
                }
            });
            Assert.HasCount(3, set);
            AssertSameBits(expected, [.. found.OrderBy(row => row.Key).Select(row => row.Value)]);
        }

        int[] order = [.. Read(scored.GetRowCursor(columns, new Random(5))).Select(row => row.Id)];
        CollectionAssert.AreNotEqual(Enumerable.Range(0, Rows.Length).ToArray(), order);
        CollectionAssert.AreEquivalent(Enumerable.Range(0, Rows.Length).ToArray(), order);
    }

    [TestMethod]
    public void ManyCursorsRunAtOnce()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        IDataView scored = transformer.Transform(Load(Rows));
        float[][] expected = Column(scored, "digits.Score");

        Parallel.For(0, 8, _ => AssertSameBits(expected, Column(scored, "digits.Score")));
    }

    [TestMethod]
    public void CursorsKeepMLNetsContract()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        IDataView scored = transformer.Transform(Load(Rows));
        DataViewSchema.Column embedding = scored.Schema["Embedding"];
        using DataViewRowCursor cursor = scored.GetRowCursor([embedding]);
        Assert.AreSame(scored.Schema, cursor.Schema);
        Assert.IsFalse(cursor.IsColumnActive(scored.Schema["Pixels"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<VBuffer<float>>(scored.Schema["digits.Score"]));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(embedding));
        var wide = new DataViewSchema.Builder();
        wide.AddColumns(Enumerable.Range(0, 50).Select(i => new DataViewSchema.DetachedColumn($"{i}", NumberDataViewType.Single)));
        DataViewSchema.Column foreign = wide.ToSchema()[49];
        Assert.Contains("Column 49", Assert.ThrowsExactly<InvalidOperationException>(() => scored.GetRowCursor([foreign])).Message);
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.IsColumnActive(foreign));
        Assert.ThrowsExactly<InvalidOperationException>(() => cursor.GetGetter<float>(foreign));

        ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(embedding);
        VBuffer<float> value = default;
        Assert.ThrowsExactly<InvalidOperationException>(() => get(ref value));
        Assert.AreEqual(-1, cursor.Position);
        Assert.IsTrue(cursor.MoveNext());
        get(ref value);
        float[] before = [.. value.DenseValues()];
        VBufferEditor.CreateFromBuffer(ref value).Values.Clear();
        get(ref value);
        AssertSameBits([before], [[.. value.DenseValues()]]);
        while (cursor.MoveNext())
        {
        }

        Assert.AreEqual(-1, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
        Assert.ThrowsExactly<InvalidOperationException>(() => get(ref value));
    }

    private static IEnumerable<(int Id, ulong RowId, float[] Embedding, long Batch, long Position)> Read(DataViewRowCursor cursor)
    {
        using (cursor)
        {
            ValueGetter<int> getId = cursor.GetGetter<int>(cursor.Schema["Id"]);
            ValueGetter<DataViewRowId> getRowId = cursor.GetIdGetter();
            ValueGetter<VBuffer<float>> getEmbedding = cursor.GetGetter<VBuffer<float>>(cursor.Schema["Embedding"]);
            while (cursor.MoveNext())
            {
                int id = 0;
                DataViewRowId rowId = default;
                VBuffer<float> embedding = default;
                getId(ref id);
                getRowId(ref rowId);
                getEmbedding(ref embedding);
                yield return (id, rowId.Low, [.. embedding.DenseValues()], cursor.Batch, cursor.Position);
            }
        }
    }
}
