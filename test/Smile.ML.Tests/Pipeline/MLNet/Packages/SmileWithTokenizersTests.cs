using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Tokenizers;
using Microsoft.ML.Transforms;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Tests.Pipeline.MLNet.Packages;

/// <summary>Text in front of the transformer: Microsoft.ML.Tokenizers in a custom mapping.</summary>
[TestClass]
[TestCategory("MLNet")]
public sealed class SmileWithTokenizersTests : PipelineTest
{
    private static readonly Sentence[] Sentences =
    [
        new() { Text = "The cat runs." }, new() { Text = "A dog is running, the cat sleeps" }, new() { Text = "Zebra" }, new() { Text = "cat dog cat dog cat dog a is the running runs" },
    ];

    [TestMethod]
    public void SentencesAreTokenizedAndClassifiedAndTheChainIsSaved()
    {
        using ModelPool pool = ModelPool.Open(TinyTextModels.WritePool(
            Path.Combine(Folder, "bert"), "bert", """{"pad_token_id":0,"id2label":{"0":"no","1":"yes"}}""", classes: 2));
        var options = new SmileOptions { InputColumnName = nameof(Encoded.Ids), ExpertRank = 3, RouterRank = 2 };
        options.Inputs["token_type_ids"] = nameof(Encoded.Types);
        IDataView data = Ml.Data.LoadFromEnumerable(Sentences);
        using TransformerChain<SmileTransformer> model = Ml.Transforms
            .CustomMapping(new WordPieces().GetMapping(), WordPieces.Contract)
            .Append(Ml.Transforms.Smile(pool, options))
            .Fit(data);

        float[][] expected = [.. Sentences.Select(sentence =>
        {
            long[] ids = [.. WordPieces.Tokenizer.EncodeToIds(sentence.Text)];
            return model.LastTransformer.Model.Run(new Dictionary<string, HostTensor>
            {
                ["input_ids"] = HostTensor.FromIntegers([1, ids.Length], ids),
                ["token_type_ids"] = HostTensor.FromIntegers([1, ids.Length], new long[ids.Length]),
            })["logits"].Floats!;
        })];
        AssertSameBits(expected, Column(model.Transform(data), "Embedding"));

        // The mapping is code, so whoever loads the chain names its assembly.
        using var file = new MemoryStream();
        Ml.Model.Save(model, data.Schema, file);
        file.Position = 0;
        var other = new MLContext();
        other.ComponentCatalog.RegisterAssembly(typeof(WordPieces).Assembly);
        using var loaded = (IDisposable)other.Model.Load(file, out _);
        AssertSameBits(expected, Column(((ITransformer)loaded).Transform(data), "Embedding"));
    }

    [TestMethod]
    public void TextIsContinuedAndDecoded()
    {
        using ModelPool pool = ModelPool.Open(TinyTextModels.WritePool(Path.Combine(Folder, "mistral"), "mistral"));
        var generation = new GenerationOptions { MaxNewTokens = 5 };
        IDataView data = Ml.Data.LoadFromEnumerable(Sentences);
        using TransformerChain<CustomMappingTransformer<Continued, Answer>> model = Ml.Transforms
            .CustomMapping(new WordPieces().GetMapping(), WordPieces.Contract)
            .Append(Ml.Transforms.Smile(pool, new SmileOptions { InputColumnName = nameof(Encoded.Ids), ExpertRank = 3, RouterRank = 2, Generation = generation }))
            .Append(Ml.Transforms.CustomMapping<Continued, Answer>(
                (continued, answer) => answer.Reply = WordPieces.Tokenizer.Decode(continued.GeneratedIds.Select(id => (int)id)), contractName: null))
            .Fit(data);
        SmileTransformer smile = model.OfType<SmileTransformer>().Single();
        string[] expected = [.. Sentences.Select(sentence =>
        {
            long[] ids = [.. WordPieces.Tokenizer.EncodeToIds(sentence.Text)];
            HostTensor generated = smile.Model.Generate(
                new Dictionary<string, HostTensor> { ["input_ids"] = HostTensor.FromIntegers([1, ids.Length], ids) }, generation);
            return WordPieces.Tokenizer.Decode(generated.Integers!.Select(id => (int)id));
        })];

        using PredictionEngine<Sentence, Answer> engine = Ml.Model.CreatePredictionEngine<Sentence, Answer>(model, new PredictionEngineOptions { OwnsTransformer = false });
        CollectionAssert.AreEqual(expected, Sentences.Select(sentence => engine.Predict(sentence).Reply).ToArray());
        CollectionAssert.AreEqual(expected, Ml.Data.CreateEnumerable<Answer>(model.Transform(data), reuseRowObject: false).Select(answer => answer.Reply).ToArray());
    }

    private sealed class Sentence
    {
        public string Text { get; set; } = "";
    }

    private sealed class Encoded
    {
        public int[] Ids { get; set; } = [];

        public int[] Types { get; set; } = [];
    }

    private sealed class Continued
    {
        public long[] GeneratedIds { get; set; } = [];
    }

    private sealed class Answer
    {
        public string Reply { get; set; } = "";
    }

    /// <summary>BERT's tokenizer over a vocabulary of words and pieces of words, as many as the models have tokens.</summary>
    [CustomMappingFactoryAttribute(Contract)]
    private sealed class WordPieces : CustomMappingFactory<Sentence, Encoded>
    {
        public const string Contract = "word pieces";

        private static readonly string[] Words =
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "dog", "run", "##s", "##ning", "is", "sleep", ".", ","];

        public static BertTokenizer Tokenizer { get; } = BertTokenizer.Create(new MemoryStream(Encoding.UTF8.GetBytes(string.Join(
            '\n', Words.Concat(Enumerable.Range(0, TinyTextModels.Vocabulary - Words.Length).Select(i => $"word{i}"))))));

        public override Action<Sentence, Encoded> GetMapping() => (sentence, encoded) =>
        {
            IReadOnlyList<int> ids = Tokenizer.EncodeToIds(sentence.Text);
            (encoded.Ids, encoded.Types) = ([.. ids], new int[ids.Count]);
        };
    }
}
