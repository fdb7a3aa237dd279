using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Networks.Generation;
using Smile.ML.Tests.Networks.Decoders;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>Streams of tokens from a predictor.</summary>
[TestClass]
public sealed class SmilePredictorGenerationTests : PredictorTest
{
    private static readonly GenerationOptions Sampled = new() { MaxNewTokens = 12, Temperature = 2, Seed = 5 };

    [TestMethod]
    public async Task StreamsBesideBatchesAreTheModelsOwn()
    {
        using SmileModel model = SmileModel.Load(WriteDecoder(seed: 1));
        await using SmilePredictor predictor = Predictor(new ObservedModel(SmileModel.Load(WriteDecoder(seed: 1))));
        Task[] callers = [.. Enumerable.Range(0, 12).Select(caller => Task.Run(async () =>
        {
            Dictionary<string, HostTensor> prompt = TokenRows.Single(TokenRows.Random(3 + caller, caller));
            HostTensor expected = model.Generate(prompt, Sampled);
            CollectionAssert.AreEqual(expected.Integers, (await ReadAsync(predictor.GenerateAsync(prompt, Sampled))).Select(id => (long)id).ToArray());
            CollectionAssert.AreEqual(model.Run(prompt)["logits"].Floats, (await predictor.PredictAsync(prompt, ["logits"]))["logits"].Floats);
        }))];

        await Task.WhenAll(callers);
    }

    [TestMethod]
    public async Task AStreamEndsWithTheModelItBeganWith()
    {
        string first = WriteDecoder(seed: 1), second = WriteDecoder(seed: 2);
        using SmileModel expectedFirst = SmileModel.Load(first), expectedSecond = SmileModel.Load(second);
        ObservedModel old = new(SmileModel.Load(first));
        var models = new Queue<ObservedModel>([old, new(SmileModel.Load(second))]);
        var predictor = new SmilePredictor("test", Options(), models.Dequeue, Metrics, Logger, Time);
        Dictionary<string, HostTensor> prompt = TokenRows.Single(TokenRows.Random(5, 1));
        await using (IAsyncEnumerator<GeneratedToken> stream = predictor.GenerateAsync(prompt, Sampled).GetAsyncEnumerator())
        {
            Assert.IsTrue(await stream.MoveNextAsync());
            var ids = new List<long> { stream.Current.Id };
            await predictor.ReloadAsync();
            CollectionAssert.AreEqual(
                expectedSecond.Generate(prompt, Sampled).Integers, (await ReadAsync(predictor.GenerateAsync(prompt, Sampled))).Select(id => (long)id).ToArray());
            Assert.IsFalse(old.IsFreed);
            while (await stream.MoveNextAsync())
            {
                ids.Add(stream.Current.Id);
            }

            CollectionAssert.AreEqual(expectedFirst.Generate(prompt, Sampled).Integers, ids);
        }

        Assert.IsTrue(old.IsFreed);
        await predictor.DisposeAsync();
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => ReadAsync(predictor.GenerateAsync(prompt, Sampled)));
    }

    [TestMethod]
    public async Task MoreThanTheLimitWaitAndMoreThanTheQueueHoldsAreRefused()
    {
        SmilePredictorOptions options = Options(queueCapacity: 1);
        options.MaxGenerations = 1;
        await using SmilePredictor predictor = Predictor(new ObservedModel(SmileModel.Load(WriteDecoder(seed: 1))), options);
        Dictionary<string, HostTensor> prompt = TokenRows.Single([1, 2, 3]);
        IAsyncEnumerator<GeneratedToken> running = predictor.GenerateAsync(prompt, Sampled).GetAsyncEnumerator();
        Assert.IsTrue(await running.MoveNextAsync());

        Task<List<int>> waiting = ReadAsync(predictor.GenerateAsync(prompt, Sampled));
        await Assert.ThrowsExactlyAsync<SmileOverloadException>(() => ReadAsync(predictor.GenerateAsync(prompt, Sampled)));
        Assert.IsFalse(waiting.IsCompleted);
        await running.DisposeAsync();
        Assert.HasCount(Sampled.MaxNewTokens, await waiting);

        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => ReadAsync(predictor.GenerateAsync(prompt, Sampled, cancelled.Token)));
        Assert.HasCount(Sampled.MaxNewTokens, await ReadAsync(predictor.GenerateAsync(prompt, Sampled)));
    }

    [TestMethod]
    public async Task AModelWithoutTokensRefuses()
    {
        await using SmilePredictor predictor = Predictor(new ObservedModel(SmileModel.Load(WriteModels().First)));

        SmileException error = await Assert.ThrowsExactlyAsync<SmileException>(() => ReadAsync(predictor.GenerateAsync(Rows(1))));
        Assert.Contains("predicts no tokens", error.Message);
    }

    private string WriteDecoder(int seed) => new TinyDecoder("mistral", seed: seed).Write(Folder[$"decoder{seed}"]);

    private static async Task<List<int>> ReadAsync(IAsyncEnumerable<GeneratedToken> stream)
    {
        var ids = new List<int>();
        await foreach (GeneratedToken token in stream)
        {
            ids.Add(token.Id);
        }

        return ids;
    }
}
