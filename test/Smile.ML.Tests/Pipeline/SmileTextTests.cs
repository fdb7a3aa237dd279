using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Text networks in a pipeline: token columns, padding, pooling, classifiers.</summary>
[TestClass]
public sealed class SmileTextTests : PipelineTest
{
    private const string ThreeClasses = """{"id2label":{"0":"bad","1":"fair","2":"good"}}""";
    private static readonly long[][] Rows = TinyTextModels.Rows;

    [TestMethod]
    [DataRow("bert", "pooler_output", null)]
    [DataRow("bert", "last_hidden_state", null)]
    [DataRow("bert", "last_hidden_state", TokenPooling.Mean)]
    [DataRow("roberta", "last_hidden_state", TokenPooling.FirstToken)]
    [DataRow("mistral", "logits", TokenPooling.LastToken)]
    [DataRow("t5", "encoder_last_hidden_state", TokenPooling.Mean)]
    public void TextsScoreTogetherAsEachAloneWithoutPadding(string type, string output, TokenPooling? pooling)
    {
        SmileOptions options = TextOptions;
        (options.NetworkOutput, options.Pooling) = (output, pooling);
        using ModelPool pool = Pool(type);
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(Load(Rows));

        AssertSameBits([.. Rows.Select(row => Alone(transformer.Model, row, output, pooling))], Column(transformer.Transform(Load(Rows)), "Vector"));
    }

    [TestMethod]
    public void MasksAndTypesComeFromColumns()
    {
        // Masks with holes, at the front, at the end, and one that shows nothing.
        Text[] texts = [.. Rows.Select((ids, row) => new Text
        {
            Ids = ids,
            Mask = [.. ids.Select((_, i) => row == 7 ? 0u : (row % 3) switch { 0 => 1, 1 => i == 2 ? 0u : 1, _ => i < ids.Length / 2 ? 0u : 1 })],
            Types = [.. ids.Select((_, i) => i % 2)],
        })];
        SmileOptions options = TextOptions;
        (options.Inputs["attention_mask"], options.Inputs["token_type_ids"]) = (nameof(Text.Mask), nameof(Text.Types));
        using ModelPool pool = Pool("bert");
        IDataView data = Ml.Data.LoadFromEnumerable(texts);
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(data);
        IDataView scored = transformer.Transform(data);

        AssertSameBits(
            [.. texts.Select(text => transformer.Model.Run(new Dictionary<string, HostTensor>
            {
                ["input_ids"] = Sequence(text.Ids),
                ["attention_mask"] = Sequence([.. text.Mask.Select(value => (long)value)]),
                ["token_type_ids"] = Sequence([.. text.Types.Select(value => (long)value)]),
            })["pooler_output"].Floats!)],
            Column(scored, "Vector"));

        // Only what is asked for is read.
        var mapper = (IRowToRowMapper)((ITransformer)transformer).GetRowToRowMapper(data.Schema);
        CollectionAssert.AreEquivalent(
            new[] { nameof(Text.Ids), nameof(Text.Mask), nameof(Text.Types) },
            mapper.GetDependencies([mapper.OutputSchema["Vector"]]).Select(column => column.Name).ToArray());
    }

    [TestMethod]
    public void PoolingSkipsMaskedTokens()
    {
        Text[] texts = [new Text { Ids = [4, 9, 7, 11, 30], Mask = [0, 1, 0, 1, 0], Types = [0, 0, 0, 0, 0] }];
        using ModelPool pool = Pool("bert");
        using SmileTransformer whole = Fit(null);
        float[][] tokens = [.. Column(whole.Transform(Ml.Data.LoadFromEnumerable(texts)), "Vector")[0].Chunk(TinyTextModels.Hidden)];
        Assert.HasCount(5, tokens);

        AssertPooled(TokenPooling.FirstToken, tokens[1]);
        AssertPooled(TokenPooling.LastToken, tokens[3]);
        AssertPooled(TokenPooling.Mean, [.. tokens[1].Zip(tokens[3], (a, b) => (float)(((double)a + b) / 2))]);

        texts[0].Mask = [0, 0, 0, 0, 0];
        using SmileTransformer mean = Fit(TokenPooling.Mean);
        Assert.Contains("masks every token", Assert.ThrowsExactly<SmileException>(() => Column(mean.Transform(Ml.Data.LoadFromEnumerable(texts)), "Vector")).Message);

        void AssertPooled(TokenPooling pooling, float[] expected)
        {
            using SmileTransformer transformer = Fit(pooling);
            IDataView scored = transformer.Transform(Ml.Data.LoadFromEnumerable(texts));
            Assert.AreEqual(new VectorDataViewType(NumberDataViewType.Single, TinyTextModels.Hidden), scored.Schema["Vector"].Type);
            AssertSameBits([expected], Column(scored, "Vector"));
        }

        SmileTransformer Fit(TokenPooling? pooling)
        {
            SmileOptions options = TextOptions;
            (options.NetworkOutput, options.Pooling, options.Inputs["attention_mask"]) = ("last_hidden_state", pooling, nameof(Text.Mask));
            return Ml.Transforms.Smile(pool, options).Fit(Ml.Data.LoadFromEnumerable(texts));
        }
    }

    [TestMethod]
    public void InputsWithLengthsOfTheirOwnGoToEncoderDecoders()
    {
        SmileOptions options = TextOptions;
        options.Inputs["decoder_input_ids"] = nameof(Translation.Target);
        Translation[] texts = [.. Rows.Select((ids, row) => new Translation { Ids = ids, Target = Rows[(row + 2) % 4] })];
        using ModelPool pool = Pool("t5");
        IDataView data = Ml.Data.LoadFromEnumerable(texts);
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(data);

        AssertSameBits(
            [.. texts.Select(text => transformer.Model.Run(new Dictionary<string, HostTensor>
            {
                ["input_ids"] = Sequence(text.Ids),
                ["decoder_input_ids"] = Sequence(text.Target),
            })["logits"].Floats!)],
            Column(transformer.Transform(data), "Vector"));
    }

    [TestMethod]
    [DataRow("bert")]
    [DataRow("roberta")]
    public void ClassifiersAddTheColumnsOfMLNetsOwn(string type)
    {
        using ModelPool pool = Pool(type, ThreeClasses, classes: 3);
        SmileEstimator estimator = Ml.Transforms.Smile(pool, TextOptions);
        SchemaShape promise = estimator.GetOutputSchema(Internals.Shape(Load(Rows).Schema));
        using SmileTransformer transformer = estimator.Fit(Load(Rows));
        IDataView scored = transformer.Transform(Load(Rows));
        CollectionAssert.AreEqual(
            Internals.Shape(scored.Schema).Select(column => $"{column.Name} {column.Kind} {column.ItemType}").ToArray(),
            promise.Select(column => $"{column.Name} {column.Kind} {column.ItemType}").ToArray());

        float[][] logits = Column(scored, "Vector"), scores = Column(scored, "Score");
        uint[] labels = [.. scored.GetColumn<uint>("PredictedLabel")];
        for (int row = 0; row < Rows.Length; row++)
        {
            double sum = logits[row].Sum(logit => Math.Exp(logit));
            for (int c = 0; c < 3; c++)
            {
                Assert.AreEqual(Math.Exp(logits[row][c]) / sum, scores[row][c], 1e-6);
            }

            Assert.AreEqual((uint)Array.IndexOf(logits[row], logits[row].Max()) + 1, labels[row]);
        }

        VBuffer<ReadOnlyMemory<char>> names = default;
        scored.Schema["Score"].GetSlotNames(ref names);
        Assert.AreEqual("bad fair good", string.Join(' ', names.DenseValues()));
        string[] classes = [.. Ml.Transforms.Conversion.MapKeyToValue("Class", "PredictedLabel").Fit(scored).Transform(scored).GetColumn<string>("Class")];
        CollectionAssert.AreEqual(labels.Select(label => new[] { "bad", "fair", "good" }[label - 1]).ToArray(), classes);
    }

    [TestMethod]
    public void OnlySingleChoicesAreClassified()
    {
        Assert.AreEqual("Vector", Added("""{"problem_type":"multi_label_classification"}""", classes: 2));
        Assert.AreEqual("Vector", Added("""{"id2label":{"0":"price"}}""", classes: 1));
        Assert.AreEqual("Vector Score PredictedLabel", Added("{}", classes: 2));
        Assert.Contains("no name for class 1 of 2", Assert.ThrowsExactly<SmileException>(() => Added("""{"id2label":{"0":"a","00":"b"}}""", 2)).Message);
        Assert.Contains("an object with the ids 0 to 1", Assert.ThrowsExactly<SmileException>(() => Added("""{"id2label":["a","b"]}""", 2)).Message);
        Assert.Contains("0 to 1", Assert.ThrowsExactly<SmileException>(() => Added("""{"id2label":{"0":"a","2":"b"}}""", 2)).Message);

        string Added(string changes, int classes)
        {
            string folder = Path.Combine(Folder, Guid.NewGuid().ToString());
            using ModelPool pool = ModelPool.Open(TinyTextModels.WritePool(folder, "bert", changes, classes));
            return string.Join(' ', Ml.Transforms.Smile(pool, TextOptions).GetOutputSchema(Internals.Shape(Load(Rows).Schema)).Select(column => column.Name).Except(["Ids"]));
        }
    }

    [TestMethod]
    public void TokensMayBeOfAnyIntegerTypeAndKnownOrUnknownSize()
    {
        long[][] rows = [.. Rows.Where(row => row.Length == 33)];
        using ModelPool pool = Pool("bert");
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions).Fit(Load(rows));
        float[][] expected = Column(transformer.Transform(Load(rows)), "Vector");
        var known = SchemaDefinition.Create(typeof(Typed<int>));
        known[nameof(Typed<>.Ids)].ColumnType = new VectorDataViewType(NumberDataViewType.Int32, 33);
        foreach (IDataView data in (IDataView[])[
            Ml.Data.LoadFromEnumerable(rows.Select(row => new Typed<int> { Ids = [.. row.Select(id => (int)id)] }), known),
            Ml.Data.LoadFromEnumerable(rows.Select(row => new Typed<int> { Ids = [.. row.Select(id => (int)id)] })),
            Ml.Data.LoadFromEnumerable(rows.Select(row => new Typed<uint> { Ids = [.. row.Select(id => (uint)id)] })),
        ])
        {
            AssertSameBits(expected, Column(transformer.Transform(data), "Vector"));
        }
    }

    [TestMethod]
    public void ASavedTextPipelineKeepsItsInputsAndPooling()
    {
        SmileOptions options = TextOptions;
        (options.NetworkOutput, options.Pooling) = ("last_hidden_state", TokenPooling.Mean);
        (options.Inputs["attention_mask"], options.Inputs["token_type_ids"]) = (nameof(Text.Mask), nameof(Text.Types));
        IDataView data = Ml.Data.LoadFromEnumerable(Rows.Select(ids => new Text
        {
            Ids = ids,
            Mask = [.. ids.Select((_, i) => i == 0 ? 1u : (uint)i % 2)],
            Types = [.. ids.Select((_, i) => i % 2)],
        }));
        using ModelPool pool = Pool("bert", ThreeClasses, classes: 3);
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, options).Fit(data);
        using var file = new MemoryStream();
        Ml.Model.Save(transformer, data.Schema, file);
        file.Position = 0;
        using var loaded = (SmileTransformer)new MLContext().Model.Load(file, out _);

        AssertSameBits(Column(transformer.Transform(data), "Vector"), Column(loaded.Transform(data), "Vector"));
    }

    [TestMethod]
    public void ARowThatCannotBeScoredHarmsNoOther()
    {
        using ModelPool pool = Pool("bert");
        long[][] good = Rows[..6], rows = [.. good[..2], [1, TinyTextModels.Vocabulary, 3], .. good[2..4], [-1], .. good[4..]];
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions).Fit(Load(rows));
        float[][] expected = Column(transformer.Transform(Load(good)), "Vector");
        var found = new List<float[]>();
        IDataView scored = transformer.Transform(Load(rows));
        using DataViewRowCursor cursor = scored.GetRowCursor([scored.Schema["Vector"]]);
        ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(scored.Schema["Vector"]);
        VBuffer<float> value = default;
        while (cursor.MoveNext())
        {
            if (cursor.Position is 2 or 5)
            {
                string message = Assert.ThrowsExactly<SmileException>(() => get(ref value)).Message;
                Assert.Contains("column Ids", message);
                Assert.Contains($"input_ids holds {(cursor.Position == 2 ? "50 at [0, 1]" : "-1 at [0, 0]")}", message);
            }
            else
            {
                get(ref value);
                found.Add([.. value.DenseValues()]);
            }
        }

        AssertSameBits(expected, [.. found]);
    }

    [TestMethod]
    public void ARowThatCannotBeReadComesAfterThoseBeforeIt()
    {
        using ModelPool pool = Pool("bert");
        long[][] rows = [.. Rows[..5], [], .. Rows[5..]];
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions).Fit(Load(rows));
        float[][] expected = Column(transformer.Transform(Load(Rows[..5])), "Vector");
        IDataView scored = transformer.Transform(Load(rows));
        AssertSameBits(expected, Column(Ml.Data.TakeRows(scored, 5), "Vector"));

        using DataViewRowCursor cursor = scored.GetRowCursor([scored.Schema["Vector"]]);
        ValueGetter<VBuffer<float>> get = cursor.GetGetter<VBuffer<float>>(scored.Schema["Vector"]);
        VBuffer<float> value = default;
        for (int row = 0; row < 5; row++)
        {
            Assert.IsTrue(cursor.MoveNext());
            Assert.AreEqual(row, cursor.Position);
            get(ref value);
            AssertSameBits([expected[row]], [[.. value.DenseValues()]]);
        }

        Assert.Contains("row without values", Assert.ThrowsExactly<SmileException>(() => cursor.MoveNext()).Message);
        Assert.AreEqual(-1, cursor.Position);
        Assert.IsFalse(cursor.MoveNext());
    }

    [TestMethod]
    public void WrongTokenColumnsAreNamed()
    {
        using ModelPool pool = Pool("bert");
        using SmileTransformer transformer = Ml.Transforms.Smile(pool, TextOptions).Fit(Load(Rows));
        Assert.Contains("Column Ids is Vector<Single", Error(() => transformer.Transform(Ml.Data.LoadFromEnumerable([new Typed<float>()]))));
        Assert.Contains("Int64, Int32 or UInt32", Error(() => transformer.Transform(Ml.Data.LoadFromEnumerable([new Scalar()]))));
        Assert.Contains("row without values", Error(() => Column(transformer.Transform(Load([[1], []])), "Vector")));
        Assert.Contains($"input_ids holds {TinyTextModels.Vocabulary}", Error(() => Column(transformer.Transform(Load([[TinyTextModels.Vocabulary]])), "Vector")));

        SmileOptions options = TextOptions;
        options.Inputs["position_ids"] = "Positions";
        Assert.Contains("no input position_ids; it takes input_ids (I64 [tokens]), attention_mask", Error(() => Ml.Transforms.Smile(pool, options)));
        options = TextOptions;
        options.Pooling = TokenPooling.Mean;
        Assert.Contains("Pooling is Mean; the network's output is pooler_output (F32 [12])", Error(() => Ml.Transforms.Smile(pool, options)));

        options = TextOptions;
        options.Inputs["token_type_ids"] = nameof(Text.Types);
        Text[] uneven = [new Text { Ids = [1, 2, 3], Types = [0, 1] }];
        using SmileTransformer typed = Ml.Transforms.Smile(pool, options).Fit(Ml.Data.LoadFromEnumerable(uneven));
        Assert.Contains(
            "Column Types has a row of 2 values; expected 3, as many as column Ids",
            Error(() => Column(typed.Transform(Ml.Data.LoadFromEnumerable(uneven)), "Vector")));

        static string Error(Action action) => Assert.ThrowsExactly<SmileException>(action).Message;
    }

    private static SmileOptions TextOptions => new()
    {
        InputColumnName = nameof(Text.Ids),
        OutputColumnName = "Vector",
        ExpertRank = 3,
        RouterRank = 2,
        Threads = 1,
    };

    private ModelPool Pool(string type, string changes = "{}", int classes = 0)
        => ModelPool.Open(TinyTextModels.WritePool(Path.Combine(Folder, type), type, changes, classes));

    private IDataView Load(long[][] rows) => Ml.Data.LoadFromEnumerable(rows.Select(row => new Typed<long> { Ids = row }));

    private static HostTensor Sequence(long[] ids) => HostTensor.FromIntegers([1, ids.Length], ids);

    /// <summary>Runs one sequence outside ML.NET, without a mask.</summary>
    private static float[] Alone(SmileModel model, long[] ids, string output, TokenPooling? pooling)
    {
        float[] values = model.Run(new Dictionary<string, HostTensor> { ["input_ids"] = Sequence(ids) }, [output])[output].Floats!;
        if (pooling is null)
        {
            return values;
        }

        float[][] tokens = [.. values.Chunk(values.Length / ids.Length)];
        return pooling switch
        {
            TokenPooling.FirstToken => tokens[0],
            TokenPooling.LastToken => tokens[^1],
            _ => [.. Enumerable.Range(0, tokens[0].Length).Select(i => (float)(tokens.Sum(token => (double)token[i]) / tokens.Length))],
        };
    }

    private sealed class Text
    {
        public long[] Ids { get; set; } = [];

        public uint[] Mask { get; set; } = [];

        public int[] Types { get; set; } = [];
    }

    private sealed class Translation
    {
        public long[] Ids { get; set; } = [];

        public long[] Target { get; set; } = [];
    }

    private sealed class Typed<T>
    {
        public T[] Ids { get; set; } = [];
    }

    private sealed class Scalar
    {
        public long Ids { get; set; }
    }
}
