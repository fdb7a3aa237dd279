using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;

namespace Smile.ML.Tests.Networks;

/// <summary>BERT and RoBERTa against a float64 computation sequence by sequence, without any padding.</summary>
[TestClass]
public sealed class BertTests
{
    private const int Hidden = 12;
    private const int Heads = 3;
    private const int Vocabulary = 20;
    private const int Positions = 12;
    private const int Padding = 2;
    private const double Epsilon = 1e-6;

    /// <summary>One holds the padding id as a token of its own: RoBERTa gives it the padding's position and doesn't count it.</summary>
    private static readonly int[][] Sequences = [[5, 9, 3, 17, 9], [7], [4, Padding, 8, 19, 1, 6, 0]];

    private static readonly int[][] Types = [[0, 0, 1, 1, 1], [1], [0, 1, 0, 1, 0, 1, 1]];

    [TestMethod]
    [DataRow("bert", "bert.", true)]
    [DataRow("bert", "bert.", false)]
    [DataRow("bert", "", false)]
    [DataRow("roberta", "roberta.", true)]
    [DataRow("roberta", "roberta.", false)]
    [DataRow("roberta", "", false)]
    public void PaddedBatchesGiveWhatEachSequenceGives(string type, string prefix, bool classifies)
    {
        RandomWeights weights = Weights(type, prefix, classifies);
        using SmileModel model = weights.Load(Config(type));
        Dictionary<string, HostTensor> inputs = TokenBatches.Padded(Sequences, Padding);
        inputs["token_type_ids"] = TokenBatches.Integers([.. Types.Select(types => (int[])[.. types, .. new int[7 - types.Length]])]);
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs);

        bool pools = type == "bert" || !classifies;
        Assert.AreEqual(classifies, outputs.ContainsKey("logits"));
        Assert.AreEqual(pools, outputs.ContainsKey("pooler_output"));
        var reference = new Reference(weights.Tensors);
        for (int s = 0; s < Sequences.Length; s++)
        {
            double[][] hidden = Encode(reference, type, prefix, Sequences[s], Types[s]);
            Reference.AssertClose($"tokens of {s}", hidden.SelectMany(token => token), outputs["last_hidden_state"].Rows(s, Sequences[s].Length));
            double[][] first = [hidden[0]];
            double[][] pooled = pools ? Reference.Map(reference.Linear($"{prefix}pooler.dense", first), Math.Tanh) : first;
            if (pools)
            {
                Reference.AssertClose($"pooled {s}", pooled[0], outputs["pooler_output"].Rows(s));
            }

            if (classifies)
            {
                double[][] logits = type == "bert"
                    ? reference.Linear("classifier", pooled)
                    : reference.Linear("classifier.out_proj", Reference.Map(reference.Linear("classifier.dense", first), Math.Tanh));
                Reference.AssertClose($"logits {s}", logits[0], outputs["logits"].Rows(s));
            }
        }
    }

    [TestMethod]
    [DataRow("bert")]
    [DataRow("roberta")]
    public void PaddingChangesNoBit(string type)
    {
        using SmileModel model = Weights(type, $"{type}.", classifies: true).Load(Config(type));
        IReadOnlyDictionary<string, HostTensor> batch = model.Run(TokenBatches.Padded(Sequences, Padding));
        for (int s = 0; s < Sequences.Length; s++)
        {
            IReadOnlyDictionary<string, HostTensor> alone = model.Run(
                new Dictionary<string, HostTensor> { ["input_ids"] = TokenBatches.Integers(Sequences[s]) });
            CollectionAssert.AreEqual(alone["last_hidden_state"].Floats, batch["last_hidden_state"].Rows(s, Sequences[s].Length));
            CollectionAssert.AreEqual(alone["logits"].Floats, batch["logits"].Rows(s));
        }
    }

    [TestMethod]
    public void WrongInputsAreNamed()
    {
        using SmileModel model = Weights("bert", "bert.", classifies: true).Load(Config("bert"));
        Fails(model, "input_ids holds 20 at [1, 0]", "vocab_size is 20", ("input_ids", [[1], [Vocabulary]]));
        Fails(model, "input_ids holds -1 at [0, 1]", "0 to 19", ("input_ids", [[1, -1]]));
        Fails(model, "token_type_ids holds 2 at [0, 0]", "type_vocab_size is 2", ("input_ids", [[1]]), ("token_type_ids", [[2]]));
        Fails(model, "token_type_ids has 1 tokens", "expected 2", ("input_ids", [[1, 2]]), ("token_type_ids", [[0]]));
        Fails(model, "attention_mask has 3 tokens", "expected 2", ("input_ids", [[1, 2]]), ("attention_mask", [[1, 1, 1]]));
        Fails(model, "attention_mask holds 2 at [0, 1]", "0 or 1", ("input_ids", [[1, 2]]), ("attention_mask", [[1, 2]]));
        Fails(model, "input_ids has 13 tokens in sequence 0", "at most 12", ("input_ids", [new int[Positions + 1]]));
    }

    [TestMethod]
    public void RobertaCountsItsPositionsFromBehindThePaddingId()
    {
        using SmileModel model = Weights("roberta", "roberta.", classifies: true).Load(Config("roberta"));
        int longest = Positions - Padding - 1;
        int[] fits = [.. Enumerable.Repeat(1, longest), Padding, Padding];
        model.Run(new Dictionary<string, HostTensor> { ["input_ids"] = TokenBatches.Integers(fits) });
        Fails(model, $"input_ids has {longest + 1} tokens", $"at most {longest}", ("input_ids", [[.. Enumerable.Repeat(1, longest + 1)]]));
    }

    [TestMethod]
    [DataRow("position_embedding_type", "\"relative_key\"", "absolute")]
    [DataRow("hidden_act", "\"mish\"", "gelu")]
    [DataRow("num_attention_heads", "5", "multiple")]
    [DataRow("is_decoder", "true", "false")]
    [DataRow("hidden_size", "24", "[20, 24]")]
    [DataRow("num_labels", "3", "[3, 12]")]
    [DataRow("architectures", "[\"BertForTokenClassification\"]", "BertForSequenceClassification")]
    public void UnsupportedConfigValuesAreNamed(string key, string value, string expected)
    {
        JsonObject config = Config("bert");
        config[key] = JsonNode.Parse(value);
        SmileException error = Assert.ThrowsExactly<SmileException>(() => Weights("bert", "bert.", classifies: true).Load(config));
        Assert.Contains(expected, error.Message);
    }

    [TestMethod]
    public void AHeadThatTheConfigPromisesIsMissed()
    {
        JsonObject config = Config("bert");
        RandomWeights weights = Weights("bert", "bert.", classifies: false);
        weights.Load(config).Dispose();
        config["architectures"] = new JsonArray("BertForSequenceClassification");
        SmileException error = Assert.ThrowsExactly<SmileException>(() => weights.Load(config));
        Assert.Contains("classifier.weight is missing", error.Message);
    }

    private static void Fails(SmileModel model, string found, string expected, params (string Name, int[][] Rows)[] inputs)
    {
        SmileException error = Assert.ThrowsExactly<SmileException>(
            () => model.Run(inputs.ToDictionary(input => input.Name, input => TokenBatches.Integers(input.Rows))));
        Assert.Contains(found, error.Message);
        Assert.Contains(expected, error.Message);
    }

    private static double[][] Encode(Reference reference, string type, string prefix, int[] ids, int[] types)
    {
        int next = type == "roberta" ? Padding + 1 : 0;
        int[] positions = [.. ids.Select(id => type == "roberta" && id == Padding ? Padding : next++)];
        double[][] words = reference.Embed($"{prefix}embeddings.word_embeddings", ids);
        words = Reference.Add(words, reference.Embed($"{prefix}embeddings.token_type_embeddings", types));
        words = Reference.Add(words, reference.Embed($"{prefix}embeddings.position_embeddings", positions));
        double[][] hidden = reference.LayerNorm($"{prefix}embeddings.LayerNorm", words, Epsilon);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"{prefix}encoder.layer.{i}";
            double[][] mixed = Reference.Attend(
                reference.Linear($"{layer}.attention.self.query", hidden),
                reference.Linear($"{layer}.attention.self.key", hidden),
                reference.Linear($"{layer}.attention.self.value", hidden),
                Heads,
                1 / Math.Sqrt(Hidden / Heads));
            hidden = Reference.Add(hidden, reference.Linear($"{layer}.attention.output.dense", mixed));
            hidden = reference.LayerNorm($"{layer}.attention.output.LayerNorm", hidden, Epsilon);
            double[][] inner = Reference.Map(reference.Linear($"{layer}.intermediate.dense", hidden), Reference.Relu);
            hidden = reference.LayerNorm($"{layer}.output.LayerNorm", Reference.Add(hidden, reference.Linear($"{layer}.output.dense", inner)), Epsilon);
        }

        return hidden;
    }

    internal static JsonObject Config(string type) => new()
    {
        ["model_type"] = type,
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 18,
        ["num_hidden_layers"] = 2,
        ["num_attention_heads"] = Heads,
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = Positions,
        ["type_vocab_size"] = 2,
        ["pad_token_id"] = Padding,
        ["hidden_act"] = "relu",
        ["layer_norm_eps"] = Epsilon,
    };

    /// <summary>The default is a classifier of two classes.</summary>
    internal static RandomWeights Weights(string type, string prefix, bool classifies, int classes = 2)
    {
        var weights = new RandomWeights(seed: 7);
        weights.Add($"{prefix}embeddings.word_embeddings.weight", 1, Vocabulary, Hidden);
        weights.Add($"{prefix}embeddings.token_type_embeddings.weight", 1, 2, Hidden);
        weights.Add($"{prefix}embeddings.position_embeddings.weight", 1, Positions, Hidden);
        weights.AddLayerNorm($"{prefix}embeddings.LayerNorm", Hidden);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"{prefix}encoder.layer.{i}";
            foreach (string name in (string[])["self.query", "self.key", "self.value", "output.dense"])
            {
                weights.AddLinear($"{layer}.attention.{name}", Hidden, Hidden);
            }

            weights.AddLayerNorm($"{layer}.attention.output.LayerNorm", Hidden);
            weights.AddLinear($"{layer}.intermediate.dense", 18, Hidden);
            weights.AddLinear($"{layer}.output.dense", Hidden, 18);
            weights.AddLayerNorm($"{layer}.output.LayerNorm", Hidden);
        }

        weights.AddLinear($"{prefix}pooler.dense", Hidden, Hidden);
        if (classifies && type == "bert")
        {
            weights.AddLinear("classifier", classes, Hidden);
        }
        else if (classifies)
        {
            weights.AddLinear("classifier.dense", Hidden, Hidden);
            weights.AddLinear("classifier.out_proj", classes, Hidden);
        }

        return weights;
    }
}
