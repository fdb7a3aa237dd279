using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Networks.Decoders;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks.Generation;

/// <summary>Generation as users see it, on a fused decoder with a tied head and a sliding window.</summary>
[TestClass]
public sealed class GenerationTests
{
    private const int PadToken = 49;

    private static readonly TemporaryFolder Folder = new();
    private static readonly int[][] Prompts = [TokenRows.Random(7, 1), TokenRows.Random(2, 2), TokenRows.Random(4, 3)];

    private static string _fused = "";
    private static SmileModel _model = null!;

    private static Dictionary<string, HostTensor> Batch => TokenRows.Padded((Prompts[0], false), (Prompts[1], true), (Prompts[2], false));

    [ClassInitialize]
    public static void Fuse(TestContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        const string Config = """{"use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1, "tie_word_embeddings": true, "eos_token_id": [49, 48]}""";
        using ModelPool pool = ModelPool.Open(
            new TinyDecoder("qwen2", Config, seed: 1).Write(Folder["base"]),
            Enumerable.Range(2, 2).Select(seed => KeyValuePair.Create($"{seed}", new TinyDecoder("qwen2", Config, seed).Write(Folder[$"{seed}"]))));
        _fused = Folder["fused"];
        new SmileFusion(new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }).Fuse(pool, _fused);
        _model = SmileModel.Load(_fused);
    }

    [ClassCleanup]
    public static void CleanUp()
    {
        _model.Dispose();
        Folder.Dispose();
    }

    [TestMethod]
    public void ABatchContinuesEachSequenceAsTheForwardPassWould()
    {
        HostTensor generated = _model.Generate(Batch, new GenerationOptions { MaxNewTokens = 20, StopTokens = [] });
        CollectionAssert.AreEqual(new long[] { 3, 20 }, generated.Shape.ToArray());
        for (int s = 0; s < Prompts.Length; s++)
        {
            int[] tokens = [.. Prompts[s]];
            for (int i = 0; i < 20; i++)
            {
                float[] last = CausalDecoderTests.Logits(_model, TokenRows.Single(tokens))[^50..];
                tokens = [.. tokens, last.IndexOf(last.Max())];
            }

            CollectionAssert.AreEqual(tokens[^20..], Row(generated, s));
        }
    }

    [TestMethod]
    public void StopTokensEndASequenceAndPaddingFollows()
    {
        HostTensor free = _model.Generate(Batch, new GenerationOptions { MaxNewTokens = 12, StopTokens = [] });
        int stop = Row(free, 0)[4];
        HostTensor stopped = _model.Generate(Batch, new GenerationOptions { MaxNewTokens = 12, StopTokens = [stop], PadToken = PadToken });
        int longest = 0;
        for (int s = 0; s < Prompts.Length; s++)
        {
            int[] expected = Row(free, s);
            int end = Array.IndexOf(expected, stop) is >= 0 and int found ? found + 1 : expected.Length;
            longest = Math.Max(longest, end);
            CollectionAssert.AreEqual(expected[..end], Row(stopped, s)[..end]);
            Assert.IsTrue(Row(stopped, s)[end..].All(token => token == PadToken));
        }

        Assert.AreEqual(longest, stopped.Shape[1]);
        Assert.IsLessThanOrEqualTo(5, Array.IndexOf(Row(free, 0), stop) + 1);
    }

    [TestMethod]
    public void ConfiguredEndTokensStopUnlessOthersAreGiven()
    {
        // Of 600 tokens drawn nearly evenly, some are 48 or 49.
        var options = new GenerationOptions { MaxNewTokens = 600, Temperature = 50, Seed = 3 };
        int[] tokens = Row(_model.Generate(TokenRows.Single(Prompts[0]), options), 0);
        Assert.IsLessThan(600, tokens.Length);
        Assert.IsTrue(tokens[^1] is 48 or 49);
        Assert.IsFalse(tokens[..^1].Any(token => token is 48 or 49));
        CollectionAssert.AreEqual(tokens, Row(_model.Generate(TokenRows.Single(Prompts[0]), options with { MaxNewTokens = tokens.Length + 5, StopTokens = [] }), 0)[..tokens.Length]);
    }

    [TestMethod]
    public async Task StreamingGivesTheSameTokensRoundByRound()
    {
        HostTensor free = _model.Generate(Batch, new GenerationOptions { MaxNewTokens = 12, StopTokens = [] });
        var options = new GenerationOptions { MaxNewTokens = 12, StopTokens = [Row(free, 0)[4]], PadToken = PadToken };
        HostTensor expected = _model.Generate(Batch, options);
        var stream = new List<GeneratedToken>();
        await foreach (GeneratedToken token in _model.GenerateAsync(Batch, options))
        {
            stream.Add(token);
        }

        for (int s = 0; s < Prompts.Length; s++)
        {
            GeneratedToken[] row = [.. stream.Where(token => token.Sequence == s)];
            CollectionAssert.AreEqual(Row(expected, s)[..row.Length], row.Select(token => token.Id).ToArray());
            CollectionAssert.AreEqual(Enumerable.Range(0, row.Length).ToArray(), row.Select(token => token.Position).ToArray());
            Assert.IsTrue(row.Select((token, i) => token.IsLast == (i == row.Length - 1)).All(right => right));
            Assert.IsTrue(Row(expected, s)[row.Length..].All(token => token == PadToken));
        }

        CollectionAssert.AreEqual(stream.OrderBy(token => token.Position).ThenBy(token => token.Sequence).ToList(), stream);
    }

    [TestMethod]
    public void SamplingDependsOnTheSeedAndTheSequenceAlone()
    {
        var options = new GenerationOptions { MaxNewTokens = 16, Temperature = 1, TopK = 20, TopP = 0.95, Seed = 11, StopTokens = [] };
        HostTensor batch = _model.Generate(Batch, options);
        CollectionAssert.AreEqual(batch.Integers, _model.Generate(Batch, options).Integers);
        CollectionAssert.AreNotEqual(batch.Integers, _model.Generate(Batch, options with { Seed = 12 }).Integers);
        CollectionAssert.AreEqual(Row(batch, 0), Row(_model.Generate(TokenRows.Single(Prompts[0]), options), 0));
    }

    [TestMethod]
    public async Task CancellingAndDisposingEndAStream()
    {
        using var cancellation = new CancellationTokenSource();
        using SmileModel model = SmileModel.Load(_fused);
        var options = new GenerationOptions { MaxNewTokens = 1000, StopTokens = [] };
        int seen = 0;
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            await foreach (GeneratedToken token in model.GenerateAsync(TokenRows.Single(1, 2), options, cancellation.Token))
            {
                if (++seen == 3)
                {
                    await cancellation.CancelAsync();
                }
            }
        });
        Assert.AreEqual(3, seen);

        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(async () =>
        {
            await foreach (GeneratedToken token in model.GenerateAsync(TokenRows.Single(1, 2), options))
            {
                model.Dispose();
            }
        });
        Assert.ThrowsExactly<OperationCanceledException>(() => _model.Generate(Batch, options, cancellation.Token));
    }

    [TestMethod]
    public void RefusesOptionsAndInputsByName()
    {
        Fails(new GenerationOptions { MaxNewTokens = 0 }, "MaxNewTokens is 0");
        Fails(new GenerationOptions { Temperature = -1 }, "Temperature is -1");
        Fails(new GenerationOptions { Temperature = double.NaN }, "Temperature is NaN");
        Fails(new GenerationOptions { Temperature = 1, TopK = 0 }, "TopK is 0");
        Fails(new GenerationOptions { Temperature = 1, TopP = 1.5 }, "TopP is 1.5");
        Fails(new GenerationOptions { TopK = 3 }, "Temperature above 0");
        Fails(new GenerationOptions(), "row 1", TokenRows.Padded(([1, 2], false), ([], false)));
        Fails(new GenerationOptions(), "50", TokenRows.Single(1, 50));
        Fails(new GenerationOptions(), "input_ids is missing", []);

        using var folder = new TemporaryFolder();
        using SmileModel perceptron = SmileModel.Load(Path.Combine(TestPool.WriteMlp(folder, 1, [4, 3]), "_pretrained_"));
        Assert.IsFalse(perceptron.CanGenerate);
        Assert.IsTrue(_model.CanGenerate);
        Assert.Contains(
            "language model",
            Assert.ThrowsExactly<SmileException>(() => perceptron.Generate(TokenRows.Single(1))).Message,
            StringComparison.Ordinal);

        static void Fails(GenerationOptions options, string expected, Dictionary<string, HostTensor>? inputs = null) => Assert.Contains(
            expected,
            Assert.ThrowsExactly<SmileException>(() => _model.Generate(inputs ?? Batch, options)).Message,
            StringComparison.Ordinal);
    }

    private static int[] Row(HostTensor tokens, int row)
        => [.. tokens.Integers!.Skip(row * (int)tokens.Shape[1]).Take((int)tokens.Shape[1]).Select(token => (int)token)];
}
