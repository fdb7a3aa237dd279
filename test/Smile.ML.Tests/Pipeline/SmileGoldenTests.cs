using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>
/// Pipelines saved by every version of the format, which all later versions must read. Goldens/ holds for each version the file of ML.NET,
/// that of the stand-in, and what they must score.
/// </summary>
[TestClass]
public sealed class SmileGoldenTests : PipelineTest
{
    private static readonly string[] FloatColumns = ["Embedding", "digits.Score", "Text", "Logits", "Score"];

    /// <summary>The stand-in saves in a layout of its own.</summary>
    private static readonly string Variant = typeof(MLContext).GetProperty("MulticlassClassification") is null ? "standin" : "mlnet";

    public static IEnumerable<int> Versions => Enumerable.Range(1, SmileModelFormat.Version);

    [TestMethod]
    [DynamicData(nameof(Versions))]
    public void EveryVersionIsRead(int version)
    {
        string zip = Golden($"v{version}.{Variant}.zip"), text = Golden($"v{version}.txt");
        if (!File.Exists(zip))
        {
            string made = Path.Combine(Path.GetTempPath(), Path.GetFileName(zip));
            Save(made);
            File.WriteAllLines(Path.ChangeExtension(made, "txt"), Describe(Ml.Model.Load(made, out _)));
            Assert.Fail($"{zip} is missing. Where version {version} is the one that was just introduced, take {made} and the text beside it.");
        }

        string[] expected = File.ReadAllLines(text), found = [.. Describe(Ml.Model.Load(zip, out _))];
        Assert.HasCount(expected.Length, found);
        foreach ((string wanted, string got) in expected.Zip(found))
        {
            string[] words = wanted.Split(' '), others = got.Split(' ');
            Assert.HasCount(words.Length, others, got);
            for (int i = 0; i < words.Length; i++)
            {
                if (float.TryParse(words[i], CultureInfo.InvariantCulture, out float value))
                {
                    Assert.AreEqual(value, float.Parse(others[i], CultureInfo.InvariantCulture), 1e-5f, got);
                }
                else
                {
                    Assert.AreEqual(words[i], others[i], got);
                }
            }
        }
    }

    private static string Golden(string name)
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Smile.ML.sln")))
        {
            root = root.Parent;
        }

        Assert.IsNotNull(root, "the tests run outside the repository");
        return Path.Combine(root.FullName, "test", "Smile.ML.Tests", "Pipeline", "Goldens", name);
    }

    /// <summary>Saves a chain that uses all that the format holds: heads, a classifier, several inputs, pooling, generated ids.</summary>
    private void Save(string path)
    {
        string bert = Path.Combine(TinyTextModels.WritePool(Path.Combine(Folder, "bert"), "bert", """{"id2label":{"0":"no","1":"yes"}}""", classes: 2), "_pretrained_");
        string t5 = Path.Combine(TinyTextModels.WritePool(Path.Combine(Folder, "t5"), "t5"), "_pretrained_");
        TaskHead head = TinyModels.Head("digits", 3, TinyModels.MlpOutputs);
        using TransformerChain<SmileTransformer> chain = Ml.Transforms
            .ApplySmileModel(Path.Combine(Mlp.Location, "_pretrained_"), new() { InputColumnName = nameof(Example.Pixels), Heads = { head }, BatchSize = 5 })
            .Append(Ml.Transforms.ApplySmileModel(bert, new()
            {
                InputColumnName = nameof(Example.Ids),
                Inputs = { ["attention_mask"] = nameof(Example.Mask), ["token_type_ids"] = nameof(Example.Types) },
                OutputColumnName = "Text",
                NetworkOutput = "last_hidden_state",
                Pooling = TokenPooling.Mean,
            }))
            .Append(Ml.Transforms.ApplySmileModel(bert, new() { InputColumnName = nameof(Example.Ids), OutputColumnName = "Logits" }))
            .Append(Ml.Transforms.ApplySmileModel(t5, new()
            {
                InputColumnName = nameof(Example.Ids),
                OutputColumnName = "Encoded",
                Generation = new() { MaxNewTokens = 6, Temperature = 2, TopK = 20, TopP = 0.9, Seed = 5, StopTokens = [1, 8] },
            }))
            .Fit(Data());
        Ml.Model.Save(chain, Data().Schema, path);
    }

    /// <summary>Writes what a pipeline adds: the columns, their values and their annotations.</summary>
    private IEnumerable<string> Describe(ITransformer model)
    {
        using var disposal = (IDisposable)model;
        IDataView scored = model.Transform(Data());
        foreach (DataViewSchema.Column column in scored.Schema.Skip(Data().Schema.Count))
        {
            yield return $"{column.Name} {column.Type}";
        }

        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["digits.Score"].GetSlotNames(ref names);
        yield return string.Join(' ', names.DenseValues());
        scored.Schema["PredictedLabel"].GetKeyValues(ref names);
        yield return string.Join(' ', names.DenseValues());
        foreach (string column in FloatColumns)
        {
            foreach (float[] row in Column(scored, column))
            {
                yield return string.Join(' ', row.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
            }
        }

        // The first version has none.
        if (scored.Schema.GetColumnOrNull("GeneratedIds") is not null)
        {
            foreach (long[] row in scored.GetColumn<long[]>("GeneratedIds"))
            {
                yield return string.Join(' ', row);
            }
        }
    }

    private IDataView Data() => Ml.Data.LoadFromEnumerable(Enumerable.Range(0, 3).Select(row =>
    {
        int tokens = 3 + (2 * row);
        return new Example
        {
            Pixels = [.. Enumerable.Range(0, TinyModels.MlpInputs).Select(i => ((((row * 7) + (i * 3)) % 11) - 5) / 4f)],
            Ids = [.. Enumerable.Range(0, tokens).Select(i => (3 + (row * 5) + (i * 7)) % TinyTextModels.Vocabulary)],
            Mask = [.. Enumerable.Range(0, tokens).Select(i => i == 1 ? 0 : 1)],
            Types = [.. Enumerable.Range(0, tokens).Select(i => i % 2)],
        };
    }));

    private sealed class Example
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = [];

        public int[] Ids { get; set; } = [];

        public int[] Mask { get; set; } = [];

        public int[] Types { get; set; } = [];
    }
}
