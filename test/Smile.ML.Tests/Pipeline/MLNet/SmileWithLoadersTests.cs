using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline.MLNet;

/// <summary>The transformer with ML.NET's readers and writers of data, which need ML.NET itself.</summary>
[TestClass]
[TestCategory("MLNet")]
public sealed class SmileWithLoadersTests : PipelineTest
{
    private static readonly float[][] Rows = TinyModels.Rows(20, TinyModels.MlpInputs);

    [TestMethod]
    public void ScoredRowsAreSavedAndReadBackWithTheirAnnotations()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        IDataView scored = transformer.Transform(Load(Rows));
        string path = Path.Combine(Folder, "scored.idv");
        using (FileStream file = File.Create(path))
        {
            Ml.Data.SaveAsBinary(scored, file);
        }

        IDataView read = Ml.Data.LoadFromBinary(path);
        CollectionAssert.AreEqual(
            scored.Schema.Select(column => $"{column.Name} {column.Type}").ToArray(), read.Schema.Select(column => $"{column.Name} {column.Type}").ToArray());
        AssertSameBits(Column(scored, "Embedding"), Column(read, "Embedding"));
        AssertSameBits(Column(scored, "signs.Score"), Column(read, "signs.Score"));
        VBuffer<ReadOnlyMemory<char>> names = default;
        read.Schema["signs.Score"].GetSlotNames(ref names);
        Assert.AreEqual("signs 2", names.GetItemOrDefault(2).ToString());
        CollectionAssert.AreEqual(
            scored.GetColumn<uint>("signs.PredictedLabel").ToArray(), read.GetColumn<uint>("signs.PredictedLabel").ToArray());
    }

    [TestMethod]
    public void ATextLoaderIsSavedWithThePipeline()
    {
        string text = Path.Combine(Folder, "rows.tsv"), model = Path.Combine(Folder, "model.zip");
        File.WriteAllLines(text, Rows.Select(row => string.Join('\t', row.Select(value => value.ToString("R", CultureInfo.InvariantCulture)))));
        TextLoader loader = Ml.Data.CreateTextLoader([new TextLoader.Column("Pixels", DataKind.Single, 0, TinyModels.MlpInputs - 1)]);
        IDataView rows = loader.Load(text);
        using SmileTransformer transformer = Ml.Transforms.Smile(Mlp, OptionsWithHeads).Fit(rows);
        float[][] expected = Column(transformer.Transform(rows), "Embedding");
        Ml.Model.Save(transformer, loader, model);

        ITransformer loaded = new MLContext().Model.LoadWithDataLoader(model, out IDataLoader<IMultiStreamSource> reader);
        using var disposal = (IDisposable)loaded;
        AssertSameBits(expected, Column(loaded.Transform(reader.Load(new MultiFileSource(text))), "Embedding"));
        Assert.HasCount(4, Ml.Data.ShuffleRows(loaded.Transform(reader.Load(new MultiFileSource(text))), seed: 3).Preview(4).RowView);
    }
}
