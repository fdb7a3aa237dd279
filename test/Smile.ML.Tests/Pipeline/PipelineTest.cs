using System.IO.Compression;
using System.Runtime.CompilerServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>What tests of the ML.NET pipeline start from: a context, a small pool, rows for it.</summary>
public abstract class PipelineTest : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    protected MLContext Ml { get; } = new(seed: 0);

    private protected ModelPool Mlp { get; }

    private protected string Folder => _folder.Path;

    private protected string ModelPath => Path.Combine(Folder, "smile.zip");

    private protected static SmileOptions Options => new()
    {
        InputColumnName = "Pixels",
        OutputColumnName = "Embedding",
        ExpertRank = 3,
        RouterRank = 2,
        Threads = 1,
    };

    /// <summary>Gets options with two heads, <c>digits</c> and <c>signs</c>.</summary>
    private protected static SmileOptions OptionsWithHeads => WithHeads(Options);

    protected PipelineTest() => Mlp = ModelPool.Open(TinyModels.WriteMlpPool(_folder["mlp"]));

    public void Dispose()
    {
        Mlp.Dispose();
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected static T WithHeads<T>(T options)
        where T : SmileScoringOptions
    {
        options.Heads.Add(TinyModels.Head("digits", 5, TinyModels.MlpOutputs));
        options.Heads.Add(TinyModels.Head("signs", 3, TinyModels.MlpOutputs));
        return options;
    }

    private protected IDataView Load(float[][] rows) => LoadVectors(rows.Select(row => new VBuffer<float>(row.Length, row)), rows[0].Length);

    private protected IDataView LoadVectors(IEnumerable<VBuffer<float>> rows, int size)
    {
        var schema = SchemaDefinition.Create(typeof(PixelRow));
        schema[nameof(PixelRow.Pixels)].ColumnType = new VectorDataViewType(NumberDataViewType.Single, size);
        return Ml.Data.LoadFromEnumerable(rows.Select((row, i) => new PixelRow { Id = i, Pixels = row }), schema);
    }

    /// <summary>Changes a file inside the zip at <see cref="ModelPath"/>.</summary>
    private protected void ChangeEntry(string name, Func<byte[], byte[]> change)
    {
        using ZipArchive zip = ZipFile.Open(ModelPath, ZipArchiveMode.Update);
        ZipArchiveEntry entry = zip.Entries.Single(entry => entry.Name == name);
        using var content = new MemoryStream();
        using (Stream stream = entry.Open())
        {
            stream.CopyTo(content);
        }

        entry.Delete();
        using Stream changed = zip.CreateEntry(entry.FullName).Open();
        changed.Write(change(content.ToArray()));
    }

    private protected void Fuse(string folder) => new SmileFusion(Options.CreateFusionOptions(Mlp.Experts.Count)).Fuse(Mlp, folder);

    private protected SmileTransformer Fit(SmileOptions options) => Ml.Transforms.Smile(Mlp, options).Fit(Load(TinyModels.Rows(1, TinyModels.MlpInputs)));

    /// <summary>Runs a model outside ML.NET, all rows at once.</summary>
    private protected static float[][] Run(SmileModel model, float[][] rows)
    {
        NetworkPort input = model.Inputs[0];
        var feed = new Dictionary<string, HostTensor>
        {
            [input.Name] = HostTensor.FromFloats([rows.Length, .. input.Shape], [.. rows.SelectMany(row => row)]),
        };
        string output = model.Outputs[0].Name;
        return [.. model.Run(feed)[output].Floats!.Chunk(model.Outputs[0].Shape.Aggregate(1, (product, dimension) => product * dimension))];
    }

    /// <summary>Compares bit by bit.</summary>
    private protected static void AssertSameBits(IReadOnlyList<float[]> expected, IReadOnlyList<float[]> found)
    {
        Assert.HasCount(expected.Count, found);
        for (int row = 0; row < expected.Count; row++)
        {
            CollectionAssert.AreEqual(
                expected[row].Select(BitConverter.SingleToInt32Bits).ToArray(), found[row].Select(BitConverter.SingleToInt32Bits).ToArray(), $"Row {row}");
        }
    }

    /// <summary>Cancels a context, as the host of an ML.NET application does.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "CancelExecution")]
    private protected static extern void CancelExecution(MLContext context);

    private protected static float[][] Column(IDataView data, string name) => [.. data.GetColumn<float[]>(name)];

    private protected sealed class PixelRow
    {
        public int Id { get; set; }

        public VBuffer<float> Pixels { get; set; }
    }
}
