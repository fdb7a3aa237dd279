using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Checkpoints;

namespace Smile.ML.Tests.Networks.Decoders;

[TestClass]
public sealed class CausalDecoderTests
{
    private const int Vocabulary = 50;

    [TestMethod]
    [DataRow("mistral", """{"sliding_window": null}""", new[] { 0, 0 })]
    [DataRow("mistral", """{"sliding_window": 3}""", new[] { 3, 3 })]
    [DataRow("mistral", """{"sliding_window": 1, "num_key_value_heads": 1, "head_dim": 10}""", new[] { 1, 1 })]
    [DataRow("mistral", "{}", new[] { 4096, 4096 })]
    [DataRow("llama", """{"num_key_value_heads": null, "attention_bias": true, "mlp_bias": true}""", new[] { 0, 0 })]
    [DataRow("llama", """{"num_key_value_heads": 4, "tie_word_embeddings": true, "sliding_window": 2}""", new[] { 0, 0 })]
    [DataRow("qwen2", """{"use_sliding_window": false, "sliding_window": 2, "max_window_layers": 0}""", new[] { 0, 0 })]
    [DataRow("qwen2", """{"use_sliding_window": true, "sliding_window": 2, "max_window_layers": 1}""", new[] { 0, 2 })]
    [DataRow("qwen2", """{"use_sliding_window": true, "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]}""", new[] { 5, 0 })]
    public void ForwardFollowsTheFormulas(string family, string changes, int[] windows)
    {
        using var folder = new TemporaryFolder();
        var decoder = new TinyDecoder(family, changes);
        using SmileModel model = SmileModel.Load(decoder.Write(folder.Path));
        int[] ids = TokenRows.Random(21, seed: 3);
        double[] expected = [.. decoder.Logits(ids, windows).SelectMany(row => row)];
        AssertClose(expected, Logits(model, TokenRows.Single(ids)));
    }

    /// <summary>
    /// One batch of a long prompt, one padded on the left and one on the right, 45 steps: enough for windows to pass whole registers and
    /// for the caches to grow. Every prediction has the bits of the forward pass over that sequence alone.
    /// </summary>
    [TestMethod]
    [DataRow("mistral", """{"sliding_window": null}""")]
    [DataRow("mistral", """{"sliding_window": 3, "head_dim": 20}""")]
    [DataRow("mistral", """{"sliding_window": 18}""")]
    [DataRow("qwen2", """{"use_sliding_window": true, "sliding_window": 4, "max_window_layers": 1, "tie_word_embeddings": true}""")]
    public void CachedStepsEqualTheForwardPass(string family, string changes)
    {
        using var folder = new TemporaryFolder();
        string path = new TinyDecoder(family, changes).Write(folder.Path);
        using SmileModel model = SmileModel.Load(path);
        using HuggingFaceFolder source = HuggingFaceFolder.Open(path);
        using var backend = new CpuBackend(threads: 2);
        var owned = new List<IDisposable>();
        Network network = NetworkLoader.Load(source.Config, source, backend, [new DenseLinearLoader(source, backend)], owned);
        var pass = new ForwardPass(backend);
        int[][] sequences = [TokenRows.Random(9, 1), TokenRows.Random(1, 2), TokenRows.Random(6, 3)];
        using GenerationSession session = ((IGenerativeNetwork)network).Start(
            pass, TokenRows.Padded((sequences[0], false), (sequences[1], true), (sequences[2], false)));
        int[][] added = [TokenRows.Random(45, 4), TokenRows.Random(45, 5), TokenRows.Random(45, 6)];
        for (int step = 0; step < 45; step++)
        {
            for (int s = 0; s < sequences.Length; s++)
            {
                float[] alone = Logits(model, TokenRows.Single([.. sequences[s], .. added[s][..step]]));
                AssertSameBits(alone.AsSpan(^Vocabulary..), session.Logits(s));
            }

            session.Step(pass, [added[0][step], added[1][step], added[2][step]]);
        }

        owned.ForEach(part => part.Dispose());
    }

    [TestMethod]
    [DataRow("""{"sliding_window": null}""")]
    [DataRow("""{"sliding_window": 3}""")]
    public void PaddingDoesNotReachRealTokens(string changes)
    {
        using var folder = new TemporaryFolder();
        using SmileModel model = SmileModel.Load(new TinyDecoder("mistral", changes).Write(folder.Path));
        int[] full = TokenRows.Random(19, 1), shorter = TokenRows.Random(12, 2);
        float[] batch = Logits(model, TokenRows.Padded((full, false), (shorter, false), (shorter, true)));
        float[] alone = Logits(model, TokenRows.Single(shorter));
        AssertSameBits(Logits(model, TokenRows.Single(full)), batch.AsSpan(0, 19 * Vocabulary));

        // On the right padding comes after, and has no effect at all. On the left it moves positions, on which only rounding depends.
        AssertSameBits(alone, batch.AsSpan(19 * Vocabulary, 12 * Vocabulary));
        AssertClose([.. alone.Select(value => (double)value)], batch[((38 + 7) * Vocabulary)..]);
    }

    [TestMethod]
    public void LastHiddenStateIsWhatTheHeadReads()
    {
        using var folder = new TemporaryFolder();
        var decoder = new TinyDecoder("llama");
        using SmileModel model = SmileModel.Load(decoder.Write(folder.Path));
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(TokenRows.Single(4, 9, 30));
        float[] hidden = outputs["last_hidden_state"].Floats!, head = decoder.Tensors["lm_head.weight"].Floats!;
        CollectionAssert.AreEqual(new long[] { 1, 3, 24 }, outputs["last_hidden_state"].Shape.ToArray());
        double[] expected = [.. Enumerable.Range(0, 3 * Vocabulary).Select(
            i => Enumerable.Range(0, 24).Sum(c => (double)hidden[(i / Vocabulary * 24) + c] * head[(i % Vocabulary * 24) + c]))];
        AssertClose(expected, outputs["logits"].Floats!);
    }

    [TestMethod]
    [DataRow("mistral", """{"num_key_value_heads": 3}""", "num_attention_heads 4", "num_key_value_heads 3")]
    [DataRow("mistral", """{"num_attention_heads": 5, "num_key_value_heads": 5}""", "hidden_size 24", "num_attention_heads 5")]
    [DataRow("mistral", """{"head_dim": 5}""", "head size is 5", "even")]
    [DataRow("mistral", """{"hidden_act": "mish"}""", "mish", "silu")]
    [DataRow("mistral", """{"vocab_size": 51}""", "model.embed_tokens.weight", "[50, 24]", "[51, 24]")]
    [DataRow("llama", """{"rope_scaling": {"rope_type": "longrope", "factor": 2}}""", "longrope", "default, dynamic, linear, llama3, yarn")]
    [DataRow("llama", """{"rope_scaling": {"type": "longrope", "factor": 2}}""", "longrope", "default, dynamic, linear, llama3")]
    [DataRow("llama", """{"architectures": ["LlamaForSequenceClassification"]}""", "LlamaForSequenceClassification", "LlamaForCausalLM")]
    [DataRow("qwen2", """{"architectures": ["Qwen2ForTokenClassification"]}""", "Qwen2ForTokenClassification", "Qwen2ForCausalLM")]
    [DataRow("llama", """{"rope_scaling": {"factor": 2}}""", "rope_scaling", "'type'")]
    [DataRow("llama", """{"partial_rotary_factor": 0.5}""", "partial_rotary_factor is 0.5", "supported: 1")]
    [DataRow("llama", """{"attention_bias": true}""", "q_proj", "no bias")]
    [DataRow("qwen2", """{"use_sliding_window": true, "layer_types": ["full_attention"]}""", "layer_types has 1", "2")]
    [DataRow("qwen2", """{"use_sliding_window": true, "layer_types": ["full_attention", "linear_attention"]}""", "linear_attention", "sliding_attention")]
    public void RefusesWhatItDoesNotSupport(string family, string changes, params string[] expected)
    {
        using var folder = new TemporaryFolder();
        var decoder = new TinyDecoder(family);
        string path = decoder.Write(folder.Path);
        folder.Write("config.json", new TinyDecoder(family, changes).Config.ToJsonString());
        SmileException e = Assert.ThrowsExactly<SmileException>(() => SmileModel.Load(path));
        foreach (string text in expected)
        {
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
        }
    }

    [TestMethod]
    public void DynamicScalingLeavesTextsWithinTheContextAlone()
    {
        using var folder = new TemporaryFolder();
        using SmileModel plain = SmileModel.Load(new TinyDecoder("llama", """{"max_position_embeddings": 6}""").Write(folder["plain"]));
        using SmileModel dynamic = SmileModel.Load(new TinyDecoder(
            "llama", """{"max_position_embeddings": 6, "rope_scaling": {"type": "dynamic", "factor": 2}}""").Write(folder["dynamic"]));
        Dictionary<string, HostTensor> fits = TokenRows.Single(4, 9, 30, 1, 2, 3), longer = TokenRows.Single(4, 9, 30, 1, 2, 3, 4);
        CollectionAssert.AreEqual(Logits(plain, fits), Logits(dynamic, fits));
        Assert.Contains("max_position_embeddings, 6, at position 6", Assert.ThrowsExactly<SmileException>(() => Logits(dynamic, longer)).Message);
    }

    internal static float[] Logits(SmileModel model, IReadOnlyDictionary<string, HostTensor> inputs) => model.Run(inputs, ["logits"])["logits"].Floats!;

    internal static void AssertClose(double[] expected, float[] actual)
    {
        Assert.HasCount(expected.Length, actual);
        double scale = Math.Max(1, expected.Max(Math.Abs));
        double difference = expected.Zip(actual, (x, y) => Math.Abs(x - y)).Max();
        Assert.IsLessThanOrEqualTo(1e-5 * scale, difference);
    }

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
        => CollectionAssert.AreEqual(
            System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(expected).ToArray(),
            System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(actual).ToArray());
}
