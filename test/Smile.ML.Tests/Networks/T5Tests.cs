using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks.EncoderDecoders;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks;

/// <summary>T5 against a float64 computation sequence by sequence, without padding and without a cache.</summary>
[TestClass]
public sealed class T5Tests
{
    private const int Hidden = 10;
    private const int Heads = 3;
    private const int HeadSize = 4;
    private const int Inner = 14;
    private const int Vocabulary = 24;
    private const int EncoderLayers = 3;
    private const int DecoderLayers = 2;
    private const int Buckets = 8;
    private const int MaxDistance = 9;
    private const int Start = 3;
    private const double Epsilon = 1e-6;

    private static readonly int[][] Sequences =
        [[4, 8, 15, 16, 23], [.. Enumerable.Range(0, 19).Select(i => i * 7 % Vocabulary)], [11]];

    private static readonly int[][] Targets = [[Start, 5, 9, 2], [Start, 1, 1, 20], [Start, 0, 7, 13]];

    [TestMethod]
    [DataRow(true, "relu")]
    [DataRow(false, "relu")]
    [DataRow(true, "gated-silu")]
    [DataRow(false, "gated-silu")]
    public void PaddedBatchesGiveWhatEachSequenceGives(bool tied, string projection)
    {
        RandomWeights weights = Weights(tied, projection);
        using SmileModel model = weights.Load(Config(tied, projection));
        Dictionary<string, HostTensor> inputs = TokenBatches.Padded(Sequences, padding: 0);
        inputs["decoder_input_ids"] = TokenBatches.Integers(Targets);
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs);
        for (int s = 0; s < Sequences.Length; s++)
        {
            double[][] encoded = Encode(weights, projection, Sequences[s]);
            Reference.AssertClose(
                $"encoder {s}", encoded.SelectMany(token => token), outputs["encoder_last_hidden_state"].Rows(s, Sequences[s].Length));
            double[][] logits = Decode(weights, projection, encoded, Targets[s], tied ? "shared" : "lm_head", tied);
            Reference.AssertClose($"logits {s}", logits.SelectMany(token => token), outputs["logits"].Rows(s, Targets[s].Length));
        }
    }

    [TestMethod]
    public void GenerationFollowsTheForwardPass()
    {
        const int Added = 40;
        using SmileModel model = Weights(tied: false, "relu").Load(Config(tied: false, "relu"));
        Dictionary<string, HostTensor> inputs = TokenBatches.Padded(Sequences, padding: 0);
        HostTensor generated = model.Generate(inputs, new GenerationOptions { MaxNewTokens = Added, StopTokens = [] });
        long[] start = [Start];
        inputs["decoder_input_ids"] = HostTensor.FromIntegers(
            [Sequences.Length, Added], [.. generated.Integers!.Chunk(Added).SelectMany(tokens => start.Concat(tokens.SkipLast(1)))]);
        HostTensor logits = model.Run(inputs, ["logits"])["logits"];
        long[] expected = [.. logits.Floats!.Chunk(Vocabulary).Select(token => (long)Array.IndexOf(token, token.Max()))];
        CollectionAssert.AreEqual(expected, generated.Integers);
        Assert.IsGreaterThan(3, generated.Integers!.Distinct().Count());
    }

    [TestMethod]
    public void PaddingChangesNoBit()
    {
        using SmileModel model = Weights(tied: true, "relu").Load(Config(tied: true, "relu"));
        Dictionary<string, HostTensor> inputs = TokenBatches.Padded(Sequences, padding: 0);
        inputs["decoder_input_ids"] = TokenBatches.Integers(Targets);
        IReadOnlyDictionary<string, HostTensor> batch = model.Run(inputs);
        for (int s = 0; s < Sequences.Length; s++)
        {
            IReadOnlyDictionary<string, HostTensor> alone = model.Run(new Dictionary<string, HostTensor>
            {
                ["input_ids"] = TokenBatches.Integers(Sequences[s]),
                ["decoder_input_ids"] = TokenBatches.Integers(Targets[s]),
            });
            CollectionAssert.AreEqual(alone["encoder_last_hidden_state"].Floats, batch["encoder_last_hidden_state"].Rows(s, Sequences[s].Length));
            CollectionAssert.AreEqual(alone["logits"].Floats, batch["logits"].Rows(s, Targets[s].Length));
        }
    }

    /// <summary>One dense expert is the fine-tuned model, except that the table in front stays the pretrained one.</summary>
    [TestMethod]
    public void ATiedHeadIsFusedApartFromTheTable()
    {
        RandomWeights pretrained = Weights(tied: true, "relu"), fineTuned = Weights(tied: true, "relu", seed: 8);
        foreach (string name in pretrained.Tensors.Keys.Where(name => name.Contains("norm", StringComparison.Ordinal) || name.Contains("bias", StringComparison.Ordinal)))
        {
            fineTuned.Tensors[name] = pretrained.Tensors[name];
        }

        using var folder = new TemporaryFolder();
        TestPool.WriteModel(folder["_pretrained_"], Config(tied: true, "relu"), pretrained.Tensors);
        TestPool.WriteModel(folder["tuned"], Config(tied: true, "relu"), fineTuned.Tensors);
        using (ModelPool pool = ModelPool.Open(folder.Path))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = null, RouterRank = 2, ExpertsPerToken = 1 }).Fuse(pool, folder["fused"]);
        }

        using SmileModel model = SmileModel.Load(folder["fused"]);
        HostTensor logits = model.Run(new Dictionary<string, HostTensor>
        {
            ["input_ids"] = TokenBatches.Integers(Sequences[0]),
            ["decoder_input_ids"] = TokenBatches.Integers(Targets[0]),
        })["logits"];
        fineTuned.Tensors["lm_head.weight"] = fineTuned.Tensors["shared.weight"];
        fineTuned.Tensors["shared.weight"] = pretrained.Tensors["shared.weight"];
        double[][] encoded = Encode(fineTuned, "relu", Sequences[0]);
        Reference.AssertClose(
            "logits", Decode(fineTuned, "relu", encoded, Targets[0], "lm_head", scaled: true).SelectMany(token => token), logits.Floats!);
    }

    [TestMethod]
    public void TheLogitsAloneNeedDecoderIds()
    {
        using SmileModel model = Weights(tied: true, "relu").Load(Config(tied: true, "relu"));
        var inputs = new Dictionary<string, HostTensor> { ["input_ids"] = TokenBatches.Integers(Sequences[0]) };
        HostTensor encoded = model.Run(inputs, ["encoder_last_hidden_state"])["encoder_last_hidden_state"];
        Assert.HasCount(Sequences[0].Length * Hidden, encoded.Floats!);
        SmileException error = Assert.ThrowsExactly<SmileException>(() => model.Run(inputs));
        Assert.Contains("decoder_input_ids is missing", error.Message);
        inputs["decoder_input_ids"] = TokenBatches.Integers([Vocabulary]);
        error = Assert.ThrowsExactly<SmileException>(() => model.Run(inputs));
        Assert.Contains("decoder_input_ids holds 24", error.Message);
    }

    [TestMethod]
    [DataRow("feed_forward_proj", "\"gated-mish\"", "mish")]
    [DataRow("relative_attention_max_distance", "4", "at least 5")]
    [DataRow("decoder_start_token_id", "24", "at most 23")]
    [DataRow("num_layers", "4", "encoder.block.3.layer.0.layer_norm.weight is missing")]
    [DataRow("d_kv", "5", "[15, 10]")]
    public void UnsupportedConfigValuesAreNamed(string key, string value, string expected)
    {
        JsonObject config = Config(tied: true, "relu");
        config[key] = JsonNode.Parse(value);
        SmileException error = Assert.ThrowsExactly<SmileException>(() => Weights(tied: true, "relu").Load(config));
        Assert.Contains(expected, error.Message);
    }

    /// <summary>The buckets of the published T5 configuration: 32 buckets, distances up to 128.</summary>
    [TestMethod]
    [DataRow(0, 0, 0)]
    [DataRow(-7, 7, 7)]
    [DataRow(7, 23, 0)]
    [DataRow(-8, 8, 8)]
    [DataRow(-11, 8, 11)]
    [DataRow(-12, 9, 12)]
    [DataRow(-15, 9, 15)]
    [DataRow(-16, 10, 16)]
    [DataRow(-18, 10, 16)]
    [DataRow(-19, 10, 17)]
    [DataRow(64, 30, 0)]
    [DataRow(-90, 14, 29)]
    [DataRow(-91, 15, 29)]
    [DataRow(-112, 15, 30)]
    [DataRow(-113, 15, 31)]
    [DataRow(-5000, 15, 31)]
    [DataRow(5000, 31, 0)]
    public void DistancesFallIntoBuckets(int distance, int bidirectional, int unidirectional)
    {
        Assert.AreEqual(bidirectional, RelativePositionBias.Bucket(distance, 32, bidirectional: true, 128));
        Assert.AreEqual(unidirectional, RelativePositionBias.Bucket(distance, 32, bidirectional: false, 128));
    }

    private static double[][] Encode(RandomWeights weights, string projection, int[] ids)
    {
        var reference = new Reference(weights.Tensors);
        double[][] hidden = reference.Embed("shared", ids);
        for (int i = 0; i < EncoderLayers; i++)
        {
            string block = $"encoder.block.{i}.layer";
            double[][] normal = reference.RmsNorm($"{block}.0.layer_norm", hidden, Epsilon);
            hidden = Reference.Add(hidden, Attend(reference, $"{block}.0.SelfAttention", normal, normal, Bias(weights, "encoder", bidirectional: true)));
            hidden = FeedForward(reference, $"{block}.1", projection, hidden);
        }

        return reference.RmsNorm("encoder.final_layer_norm", hidden, Epsilon);
    }

    private static double[][] Decode(RandomWeights weights, string projection, double[][] encoded, int[] ids, string head, bool scaled)
    {
        var reference = new Reference(weights.Tensors);
        double[][] hidden = reference.Embed("shared", ids);
        for (int i = 0; i < DecoderLayers; i++)
        {
            string block = $"decoder.block.{i}.layer";
            double[][] normal = reference.RmsNorm($"{block}.0.layer_norm", hidden, Epsilon);
            Func<int, int, int, double> bias = Bias(weights, "decoder", bidirectional: false);
            hidden = Reference.Add(
                hidden,
                Attend(reference, $"{block}.0.SelfAttention", normal, normal, (h, q, k) => k > q ? double.NegativeInfinity : bias(h, q, k)));
            normal = reference.RmsNorm($"{block}.1.layer_norm", hidden, Epsilon);
            hidden = Reference.Add(hidden, Attend(reference, $"{block}.1.EncDecAttention", normal, encoded, bias: null));
            hidden = FeedForward(reference, $"{block}.2", projection, hidden);
        }

        hidden = reference.RmsNorm("decoder.final_layer_norm", hidden, Epsilon);
        return reference.Linear(head, scaled ? Reference.Map(hidden, value => value / Math.Sqrt(Hidden)) : hidden);
    }

    private static double[][] Attend(Reference reference, string name, double[][] queries, double[][] keys, Func<int, int, int, double>? bias)
        => reference.Linear($"{name}.o", Reference.Attend(
            reference.Linear($"{name}.q", queries), reference.Linear($"{name}.k", keys), reference.Linear($"{name}.v", keys), Heads, scale: 1, bias));

    private static double[][] FeedForward(Reference reference, string layer, string projection, double[][] hidden)
    {
        double[][] normal = reference.RmsNorm($"{layer}.layer_norm", hidden, Epsilon);
        string name = $"{layer}.DenseReluDense";
        double[][] inner = projection == "relu"
            ? Reference.Map(reference.Linear($"{name}.wi", normal), Reference.Relu)
            : [.. Reference.Map(reference.Linear($"{name}.wi_0", normal), x => x / (1 + Math.Exp(-x)))
                .Zip(reference.Linear($"{name}.wi_1", normal), (x, y) => x.Zip(y, (a, b) => a * b).ToArray())];
        return Reference.Add(hidden, reference.Linear($"{name}.wo", inner));
    }

    /// <summary>With 8 buckets and a largest distance of 9, the buckets by hand: exact distances first, then by logarithm.</summary>
    private static Func<int, int, int, double> Bias(RandomWeights weights, string stack, bool bidirectional)
    {
        int[] backward = bidirectional ? [0, 1, 2, 2, 2, 3] : [0, 1, 2, 3, 4, 5, 6, 6, 7];
        float[] table = weights.Tensors[$"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"].Floats!;
        return (head, query, key) =>
        {
            int distance = bidirectional ? Math.Abs(key - query) : Math.Max(0, query - key);
            int bucket = backward[Math.Min(distance, backward.Length - 1)] + (bidirectional && key > query ? Buckets / 2 : 0);
            return table[(bucket * Heads) + head];
        };
    }

    private static JsonObject Config(bool tied, string projection) => new()
    {
        ["model_type"] = "t5",
        ["d_model"] = Hidden,
        ["d_kv"] = HeadSize,
        ["d_ff"] = Inner,
        ["num_heads"] = Heads,
        ["num_layers"] = EncoderLayers,
        ["num_decoder_layers"] = DecoderLayers,
        ["vocab_size"] = Vocabulary,
        ["relative_attention_num_buckets"] = Buckets,
        ["relative_attention_max_distance"] = MaxDistance,
        ["feed_forward_proj"] = projection,
        ["layer_norm_epsilon"] = Epsilon,
        ["tie_word_embeddings"] = tied,
        ["decoder_start_token_id"] = Start,
    };

    private static RandomWeights Weights(bool tied, string projection, int seed = 5)
    {
        const int Features = Heads * HeadSize;
        var weights = new RandomWeights(seed);
        weights.Add("shared.weight", 1, Vocabulary, Hidden);
        foreach ((string stack, int layers) in (ReadOnlySpan<(string, int)>)[("encoder", EncoderLayers), ("decoder", DecoderLayers)])
        {
            weights.Add($"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 1, Buckets, Heads);
            for (int i = 0; i < layers; i++)
            {
                string[] attentions = stack == "encoder" ? ["SelfAttention"] : ["SelfAttention", "EncDecAttention"];
                for (int a = 0; a < attentions.Length; a++)
                {
                    string layer = $"{stack}.block.{i}.layer.{a}";
                    weights.AddRmsNorm($"{layer}.layer_norm", Hidden);
                    foreach (string name in (string[])["q", "k", "v"])
                    {
                        weights.AddLinear($"{layer}.{attentions[a]}.{name}", Features, Hidden, bias: false);
                    }

                    weights.AddLinear($"{layer}.{attentions[a]}.o", Hidden, Features, bias: false);
                }

                string last = $"{stack}.block.{i}.layer.{attentions.Length}";
                weights.AddRmsNorm($"{last}.layer_norm", Hidden);
                foreach (string name in projection == "relu" ? (string[])["wi"] : ["wi_0", "wi_1"])
                {
                    weights.AddLinear($"{last}.DenseReluDense.{name}", Inner, Hidden, bias: false);
                }

                weights.AddLinear($"{last}.DenseReluDense.wo", Hidden, Inner, bias: false);
            }

            weights.AddRmsNorm($"{stack}.final_layer_norm", Hidden);
        }

        if (!tied)
        {
            weights.AddLinear("lm_head", Vocabulary, Hidden, bias: false);
        }

        return weights;
    }
}
