using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks;

/// <summary>CLIP's text half against a float64 computation, and a whole CLIP against its halves.</summary>
[TestClass]
public sealed class ClipTests
{
    private const int Hidden = 12;
    private const int Heads = 3;
    private const int Projection = 7;
    private const int Vocabulary = 30;
    private const int Positions = 9;
    private const int End = 25;
    private const double Epsilon = 1e-5;

    /// <summary>The end token is followed by padding with itself, as CLIP's tokenizer pads; one sequence has a higher id before it.</summary>
    private static readonly int[][] Texts = [[3, 9, End, End, End], [1, 28, 4, 2, End], [End, 0, 0, 0, 0]];

    [TestMethod]
    [DataRow(End, new[] { 2, 4, 0 })]
    [DataRow(2, new[] { 2, 1, 0 })]
    public void TextsAreEmbeddedByTheirEndToken(int endToken, int[] ends)
    {
        RandomWeights weights = Weights();
        JsonObject config = TextConfig(endToken);
        config["model_type"] = "clip_text_model";
        config["projection_dim"] = Projection;
        using SmileModel model = weights.Load(config);
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(
            new Dictionary<string, HostTensor> { ["input_ids"] = TokenBatches.Integers(Texts) });
        var reference = new Reference(weights.Tensors);
        for (int s = 0; s < Texts.Length; s++)
        {
            double[][] hidden = Encode(reference, Texts[s]);
            Reference.AssertClose($"tokens {s}", hidden.SelectMany(token => token), outputs["last_hidden_state"].Rows(s, Texts[s].Length));
            Reference.AssertClose($"pooled {s}", hidden[ends[s]], outputs["pooler_output"].Rows(s));
            Reference.AssertClose($"embedding {s}", reference.Linear("text_projection", [hidden[ends[s]]])[0], outputs["text_embeds"].Rows(s));
        }
    }

    [TestMethod]
    public void AWholeClipEmbedsWhatItIsGiven()
    {
        using SmileModel clip = Weights().Load(Config());
        HostTensor images = TestPool.Gaussian(new Random(4), 1, 3, 3, 8, 8), texts = TokenBatches.Integers(Texts);
        var both = new Dictionary<string, HostTensor> { ["pixel_values"] = images, ["input_ids"] = texts };
        IReadOnlyDictionary<string, HostTensor> outputs = clip.Run(both);
        IReadOnlyDictionary<string, HostTensor> ofImages = clip.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = images });
        IReadOnlyDictionary<string, HostTensor> ofTexts = clip.Run(new Dictionary<string, HostTensor> { ["input_ids"] = texts });
        CollectionAssert.AreEquivalent((string[])["image_embeds", "pooler_output", "last_hidden_state", "text_embeds"], outputs.Keys.ToArray());
        CollectionAssert.AreEquivalent((string[])["image_embeds", "pooler_output", "last_hidden_state"], ofImages.Keys.ToArray());
        CollectionAssert.AreEquivalent((string[])["text_embeds"], ofTexts.Keys.ToArray());
        CollectionAssert.AreEqual(outputs["image_embeds"].Floats, ofImages["image_embeds"].Floats);
        CollectionAssert.AreEqual(outputs["text_embeds"].Floats, ofTexts["text_embeds"].Floats);

        JsonObject vision = VisionConfig();
        vision["model_type"] = "clip_vision_model";
        vision["projection_dim"] = Projection;
        using SmileModel half = Weights().Load(vision);
        CollectionAssert.AreEqual(half.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = images })["image_embeds"].Floats, ofImages["image_embeds"].Floats);
    }

    [TestMethod]
    public void WhatIsMissingIsNamed()
    {
        using SmileModel clip = Weights().Load(Config());
        Fails("both missing", () => clip.Run(new Dictionary<string, HostTensor>()));
        var texts = new Dictionary<string, HostTensor> { ["input_ids"] = TokenBatches.Integers(Texts) };
        Fails("pixel_values is missing", () => clip.Run(texts, ["image_embeds"]));
        Fails("pixel_values is missing", () => clip.Run(texts, ["image_embeds", "text_embeds"]));
        texts["input_ids"] = TokenBatches.Integers([End, 1], [3, 4]);
        Fails("no end token in sequence 1", () => clip.Run(texts));
        texts["input_ids"] = TokenBatches.Integers([.. Enumerable.Repeat(End, Positions + 1)]);
        Fails($"at most {Positions}", () => clip.Run(texts));
    }

    [TestMethod]
    public void HalvesAreFusedOverTheWhole()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, HostTensor> whole = Weights().Tensors;
        TestPool.WriteModel(folder["clip"], Config(), whole);
        WriteHalf(folder["bare"], whole, "vision", "CLIPVisionModel", "visual_projection.weight");
        WriteHalf(folder["full"], whole, "vision", "CLIPVisionModelWithProjection");
        using (ModelPool pool = ModelPool.Open(folder["clip"], [KeyValuePair.Create("bare", folder["bare"]), KeyValuePair.Create("full", folder["full"])]))
        {
            Assert.AreEqual("clip_vision_model", pool.Pretrained.Config.ModelType);
            Assert.AreSame(pool.Pretrained, pool.Select("bare").Pretrained);
            new SmileFusion(new SmileFusionOptions { ExpertRank = null, Shared = SharedParameters.Average }).Fuse(pool.Select("bare"), folder["fused"]);
        }

        // One expert of full rank, and nothing of the pretrained model but what the expert doesn't have.
        Dictionary<string, HostTensor> expert = TensorFile.Read(Path.Combine(folder["bare"], "model.safetensors"));
        expert["visual_projection.weight"] = whole["visual_projection.weight"];
        TestPool.WriteModel(folder["completed"], HalfConfig("vision", "CLIPVisionModelWithProjection"), expert);
        var inputs = new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(new Random(4), 1, 3, 3, 8, 8) };
        using SmileModel fused = SmileModel.Load(folder["fused"]), alone = SmileModel.Load(folder["completed"]);
        float[] expected = alone.Run(inputs)["image_embeds"].Floats!, actual = fused.Run(inputs)["image_embeds"].Floats!;
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i], actual[i], 1e-4);
        }

        Assert.IsFalse(fused.Outputs.Any(port => port.Name == "text_embeds"));
        Assert.IsFalse(TensorFile.Read(Path.Combine(folder["fused"], "model.safetensors")).Keys.Any(name => name.StartsWith("text", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void TextHalvesAreFusedOverTheWhole()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, HostTensor> whole = Weights().Tensors;
        TestPool.WriteModel(folder["clip"], Config(), whole);
        WriteHalf(folder["a"], whole, "text", "CLIPTextModel", "text_projection.weight");
        using ModelPool pool = ModelPool.Open(folder["clip"], [KeyValuePair.Create("a", folder["a"])]);
        new SmileFusion(new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }).Fuse(pool, folder["fused"]);
        using SmileModel fused = SmileModel.Load(folder["fused"]);
        CollectionAssert.Contains(fused.Outputs.Select(port => port.Name).ToArray(), "text_embeds");
    }

    [TestMethod]
    public void HalvesThatDontFitTheWholeAreRefused()
    {
        using var folder = new TemporaryFolder();
        Dictionary<string, HostTensor> whole = Weights().Tensors;
        TestPool.WriteModel(folder["clip"], Config(), whole);
        WriteHalf(folder["lost"], whole, "vision", "CLIPVisionModelWithProjection", "visual_projection.weight");
        WriteHalf(folder["nameless"], whole, "vision", null, "visual_projection.weight");
        WriteHalf(folder["text"], whole, "text", "CLIPTextModelWithProjection");
        WriteHalf(folder["vision"], whole, "vision", "CLIPVisionModel", "visual_projection.weight");
        Refused("tensor visual_projection.weight is missing", "lost");
        Refused("tensor visual_projection.weight is missing", "nameless");
        Refused("model_type is \"clip_vision_model\"; expected \"clip\"", "vision", "text");

        void Refused(string expected, params string[] experts)
        {
            using ModelPool pool = ModelPool.Open(folder["clip"], experts.Select(name => KeyValuePair.Create(name, folder[name])));
            Fails(expected, () => new SmileFusion().Fuse(pool, folder["fused"]));
        }
    }

    /// <summary>Writes a fine-tune of one half, changed in every parameter, as a class that leaves a tensor out.</summary>
    private static void WriteHalf(string path, Dictionary<string, HostTensor> whole, string half, string? className, string? leftOut = null)
    {
        string projection = half == "vision" ? "visual_projection" : "text_projection";
        var random = new Random(path.Length);
        Dictionary<string, HostTensor> tensors = whole
            .Where(tensor => (tensor.Key.StartsWith($"{half}_model.", StringComparison.Ordinal) || tensor.Key.StartsWith(projection, StringComparison.Ordinal))
                && tensor.Key != leftOut)
            .ToDictionary(
                tensor => tensor.Key,
                tensor => HostTensor.FromFloats(tensor.Value.Shape, [.. tensor.Value.Floats!.Select(value => value + (0.1f * (random.NextSingle() - 0.5f)))]));
        TestPool.WriteModel(path, HalfConfig(half, className), tensors);
    }

    private static JsonObject HalfConfig(string half, string? className)
    {
        JsonObject config = half == "vision" ? VisionConfig() : TextConfig(End);
        config["model_type"] = $"clip_{half}_model";
        config["projection_dim"] = Projection;
        if (className is not null)
        {
            config["architectures"] = new JsonArray(className);
        }

        return config;
    }

    private static void Fails(string expected, Action run)
        => Assert.Contains(expected, Assert.ThrowsExactly<SmileException>(run).Message);

    private static double[][] Encode(Reference reference, int[] ids)
    {
        double[][] hidden = Reference.Add(
            reference.Embed("text_model.embeddings.token_embedding", ids),
            reference.Embed("text_model.embeddings.position_embedding", Enumerable.Range(0, ids.Length)));
        for (int i = 0; i < 2; i++)
        {
            string layer = $"text_model.encoder.layers.{i}";
            double[][] normal = reference.LayerNorm($"{layer}.layer_norm1", hidden, Epsilon);
            double[][] mixed = Reference.Attend(
                reference.Linear($"{layer}.self_attn.q_proj", normal),
                reference.Linear($"{layer}.self_attn.k_proj", normal),
                reference.Linear($"{layer}.self_attn.v_proj", normal),
                Heads,
                1 / Math.Sqrt(Hidden / Heads),
                (_, query, key) => key > query ? double.NegativeInfinity : 0);
            hidden = Reference.Add(hidden, reference.Linear($"{layer}.self_attn.out_proj", mixed));
            normal = reference.LayerNorm($"{layer}.layer_norm2", hidden, Epsilon);
            double[][] inner = Reference.Map(reference.Linear($"{layer}.mlp.fc1", normal), x => x / (1 + Math.Exp(-1.702 * x)));
            hidden = Reference.Add(hidden, reference.Linear($"{layer}.mlp.fc2", inner));
        }

        return reference.LayerNorm("text_model.final_layer_norm", hidden, Epsilon);
    }

    private static JsonObject Config() => new()
    {
        ["model_type"] = "clip",
        ["architectures"] = new JsonArray("CLIPModel"),
        ["projection_dim"] = Projection,
        ["text_config"] = TextConfig(End),
        ["vision_config"] = VisionConfig(),
    };

    private static JsonObject TextConfig(int endToken) => new()
    {
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 16,
        ["num_hidden_layers"] = 2,
        ["num_attention_heads"] = Heads,
        ["vocab_size"] = Vocabulary,
        ["max_position_embeddings"] = Positions,
        ["eos_token_id"] = endToken,
    };

    private static JsonObject VisionConfig() => new()
    {
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = 16,
        ["num_hidden_layers"] = 2,
        ["num_attention_heads"] = Heads,
        ["image_size"] = 8,
        ["patch_size"] = 4,
    };

    private static RandomWeights Weights()
    {
        var weights = new RandomWeights(seed: 6);
        weights.Add("text_model.embeddings.token_embedding.weight", 1, Vocabulary, Hidden);
        weights.Add("text_model.embeddings.position_embedding.weight", 1, Positions, Hidden);
        weights.Add("vision_model.embeddings.class_embedding", 1, Hidden);
        weights.Add("vision_model.embeddings.patch_embedding.weight", 0.3f, Hidden, 3, 4, 4);
        weights.Add("vision_model.embeddings.position_embedding.weight", 1, 5, Hidden);
        weights.AddLayerNorm("vision_model.pre_layrnorm", Hidden);
        weights.AddLayerNorm("vision_model.post_layernorm", Hidden);
        weights.AddLayerNorm("text_model.final_layer_norm", Hidden);
        weights.AddLinear("text_projection", Projection, Hidden, bias: false);
        weights.AddLinear("visual_projection", Projection, Hidden, bias: false);
        weights.Add("logit_scale", 1, 1);
        foreach (string layer in (string[])["text_model.encoder.layers.0", "text_model.encoder.layers.1", "vision_model.encoder.layers.0", "vision_model.encoder.layers.1"])
        {
            weights.AddLayerNorm($"{layer}.layer_norm1", Hidden);
            weights.AddLayerNorm($"{layer}.layer_norm2", Hidden);
            foreach (string name in (string[])["q_proj", "k_proj", "v_proj", "out_proj"])
            {
                weights.AddLinear($"{layer}.self_attn.{name}", Hidden, Hidden);
            }

            weights.AddLinear($"{layer}.mlp.fc1", 16, Hidden);
            weights.AddLinear($"{layer}.mlp.fc2", Hidden, 16);
        }

        return weights;
    }
}
