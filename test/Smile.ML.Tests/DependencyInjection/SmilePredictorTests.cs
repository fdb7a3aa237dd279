using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.DependencyInjection;

[TestClass]
public sealed class SmilePredictorTests : PredictorTest
{
    [TestMethod]
    public async Task ConcurrentCallersGetTheBitsOfASerialOne()
    {
        const int Callers = 64;
        string fused = Folder["fused"];
        using (ModelPool pool = ModelPool.Open(TestPool.WriteClip(Folder, 3)))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }).Fuse(pool, fused);
        }

        using var serial = SmileModel.Load(fused);
        Dictionary<string, HostTensor>[] samples =
            [.. Enumerable.Range(0, Callers).Select(i => new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(new Random(i), 1, 1 + (i % 2), 3, 8, 8) })];
        ObservedModel model = new ObservedModel(SmileModel.Load(fused)).Hold();
        await using SmilePredictor predictor = Predictor(model);

        // The first run is held up until all have asked, so that the others must be batched.
        using var asked = new CountdownEvent(Callers);
        Task<IReadOnlyDictionary<string, HostTensor>>[] answers = [.. samples.Select(sample => Task.Run(() =>
        {
            Task<IReadOnlyDictionary<string, HostTensor>> answer = predictor.PredictAsync(sample);
            asked.Signal();
            return answer;
        }))];
        await Task.Run(asked.Wait);
        model.Open();

        foreach ((Dictionary<string, HostTensor> sample, IReadOnlyDictionary<string, HostTensor> answer) in samples.Zip(await Task.WhenAll(answers)))
        {
            IReadOnlyDictionary<string, HostTensor> expected = serial.Run(sample);
            CollectionAssert.AreEquivalent(expected.Keys.ToArray(), answer.Keys.ToArray());
            foreach (string output in expected.Keys)
            {
                CollectionAssert.AreEqual(expected[output].Shape.ToArray(), answer[output].Shape.ToArray());
                CollectionAssert.AreEqual(expected[output].Floats, answer[output].Floats);
            }
        }

        Assert.AreEqual(Callers * 3 / 2, model.Runs.Sum(shape => shape[0]));
        Assert.IsTrue(model.Runs.All(shape => shape[0] <= 8), "batches stay within MaxBatchSize");

        // All but the first and the last are full, or lack the one row that a request of two rows doesn't fit into.
        Assert.IsTrue(model.Runs.Skip(1).SkipLast(1).All(shape => shape[0] >= 7), string.Join(", ", model.Runs.Select(shape => shape[0])));
    }

    [TestMethod]
    public async Task ARequestWaitsForOthersButNotLongerThanItMay()
    {
        (string folder, _) = WriteModels();
        using var serial = SmileModel.Load(folder);
        var model = new ObservedModel(SmileModel.Load(folder));
        await using SmilePredictor predictor = Predictor(model, Options(maxBatchSize: 4, maxWait: TimeSpan.FromSeconds(10)));

        Task<float[][]> three = OutputsAsync([.. Enumerable.Range(0, 3).Select(i => predictor.PredictAsync(Rows(i)))]);
        while (!three.IsCompleted)
        {
            // More than once: the predictor may be between looking at the clock and setting its alarm.
            Time.Advance(TimeSpan.FromSeconds(10));
            await Task.Delay(1);
        }

        float[][] outputs = await three;
        CollectionAssert.AreEqual(new long[] { 3, Width }, model.Runs.Single());
        for (int i = 0; i < 3; i++)
        {
            CollectionAssert.AreEqual(Expected(serial, Rows(i)), outputs[i]);
        }

        // A full batch doesn't wait: the clock stands still.
        await OutputsAsync([.. Enumerable.Range(0, 4).Select(i => predictor.PredictAsync(Rows(i)))]);
        CollectionAssert.AreEqual(new long[] { 4, Width }, model.Runs.Last());
    }

    [TestMethod]
    public async Task ALoggerThatThrowsEndsNoMoreThanItsBatch()
    {
        (string folder, _) = WriteModels();
        using var serial = SmileModel.Load(folder);
        var model = new ObservedModel(SmileModel.Load(folder));
        SmilePredictor predictor = Predictor(model);
        Logger.Throws = true;
        InvalidOperationException e = await Assert.ThrowsExactlyAsync<InvalidOperationException>(() => predictor.PredictAsync(Rows(0)));
        Assert.AreEqual("The log is full.", e.Message);
        Logger.Throws = false;
        CollectionAssert.AreEqual(Expected(serial, Rows(1)), await OutputAsync(predictor, Rows(1)));
        Assert.AreEqual(0, predictor.Status.QueueLength);
        await predictor.DisposeAsync();
        Assert.IsTrue(model.IsFreed);
    }

    [TestMethod]
    public async Task OnlyRequestsOfOneShapeAndWantingTheSameShareARun()
    {
        // Computes -x, for inputs of any shape.
        var wanted = new ConcurrentQueue<string>();
        ObservedModel model = new ObservedModel(SmileModel.Load(WriteModels().First))
        {
            Computation = inputs => new Dictionary<string, HostTensor>
            {
                ["output"] = HostTensor.FromFloats(inputs["x"].Shape, [.. inputs["x"].Floats!.Select(value => -value)]),
                ["ids"] = HostTensor.FromIntegers([inputs["x"].Shape[0]], [.. Enumerable.Range(0, (int)inputs["x"].Shape[0]).Select(row => (long)inputs["x"].Floats![row * (int)inputs["x"].Shape[1]])]),
            },
        }.Hold();
        await using SmilePredictor predictor = Predictor(model, Options(maxBatchSize: 100));
        Task first = predictor.PredictAsync(Rows(0, width: 50));
        await model.EnteredAsync();

        var requests = new List<(Dictionary<string, HostTensor> Inputs, Task<IReadOnlyDictionary<string, HostTensor>> Answer)>();
        for (int i = 0; i < 60; i++)
        {
            Dictionary<string, HostTensor> inputs = Rows(i, rows: 1 + (i % 4), width: 2 + (i % 3));
            requests.Add((inputs, predictor.PredictAsync(inputs, i % 5 == 0 ? ["output"] : null)));
        }

        model.Open();
        await first;
        foreach ((Dictionary<string, HostTensor> inputs, Task<IReadOnlyDictionary<string, HostTensor>> answer) in requests)
        {
            HostTensor output = (await answer)["output"];
            CollectionAssert.AreEqual(inputs["x"].Shape.ToArray(), output.Shape.ToArray());
            CollectionAssert.AreEqual(inputs["x"].Floats!.Select(value => -value).ToArray(), output.Floats);
            CollectionAssert.AreEqual(new[] { inputs["x"].Shape[0] }, (await answer)["ids"].Shape.ToArray());
        }

        // Three widths, each with and without the list of wanted outputs; the request that was first in the queue is run first.
        CollectionAssert.AreEqual(new long[] { 50, 2, 3, 4, 2, 3, 4 }.Order().ToArray(), model.Runs.Select(shape => shape[1]).Order().ToArray());
        Assert.AreEqual(2, model.Runs.ElementAt(1)[1]);
    }

    [TestMethod]
    public async Task CancellingOneRequestLeavesTheOthersAlone()
    {
        (string folder, _) = WriteModels();
        using var serial = SmileModel.Load(folder);
        ObservedModel model = new ObservedModel(SmileModel.Load(folder)).Hold();
        await using SmilePredictor predictor = Predictor(model);
        using var cancelRunning = new CancellationTokenSource();
        using var cancelWaiting = new CancellationTokenSource();

        Task running = predictor.PredictAsync(Rows(0), cancellationToken: cancelRunning.Token);
        await model.EnteredAsync();
        Task waiting = predictor.PredictAsync(Rows(1), cancellationToken: cancelWaiting.Token);
        Task<float[]> other = OutputAsync(predictor, Rows(2));

        // Both callers go on at once, although the run is held up.
        await cancelRunning.CancelAsync();
        await cancelWaiting.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => running);
        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting);
        model.Open();
        CollectionAssert.AreEqual(Expected(serial, Rows(2)), await other);
        CollectionAssert.AreEqual(new long[] { 1, 1 }, model.Runs.Select(shape => shape[0]).ToArray(), "a request cancelled in the queue is not run");
        await Assert.ThrowsAsync<OperationCanceledException>(() => predictor.PredictAsync(Rows(3), cancellationToken: cancelWaiting.Token));
        Assert.AreEqual(0, predictor.Status.QueueLength);
    }

    [TestMethod]
    public async Task AFullQueueRefusesAndRecovers()
    {
        (string folder, _) = WriteModels();
        ObservedModel model = new ObservedModel(SmileModel.Load(folder)).Hold();
        await using SmilePredictor predictor = Predictor(model, Options(maxBatchSize: 1, queueCapacity: 2));
        var accepted = new List<Task> { predictor.PredictAsync(Rows(0)) };
        await model.EnteredAsync();
        accepted.Add(predictor.PredictAsync(Rows(1)));
        accepted.Add(predictor.PredictAsync(Rows(2)));

        SmileOverloadException refused = await Assert.ThrowsExactlyAsync<SmileOverloadException>(() => predictor.PredictAsync(Rows(3)));
        StringAssert.Contains(refused.Message, "\"test\" is overloaded: 2 requests are waiting");
        Assert.AreEqual(2, predictor.Status.QueueLength);
        model.Open();
        await Task.WhenAll(accepted);
        await predictor.PredictAsync(Rows(3));
        Assert.HasCount(4, model.Runs);
    }

    [TestMethod]
    public async Task ABadRequestFailsAlone()
    {
        (string folder, _) = WriteModels();
        using var serial = SmileModel.Load(folder);
        ObservedModel model = new ObservedModel(SmileModel.Load(folder))
        {
            Computation = inputs => inputs["x"].Floats!.Any(float.IsNaN)
                ? throw new SmileException("x holds a NaN.")
                : new Dictionary<string, HostTensor> { ["output"] = HostTensor.FromFloats([inputs["x"].Shape[0], 4], Expected(serial, inputs)) },
        }.Hold();
        await using SmilePredictor predictor = Predictor(model);
        Task first = predictor.PredictAsync(Rows(0));
        await model.EnteredAsync();
        Task<float[]> before = OutputAsync(predictor, Rows(1));
        Task bad = predictor.PredictAsync(new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1, Width], [1, 2, 3, float.NaN, 5, 6]) });
        Task<float[]> after = OutputAsync(predictor, Rows(2));
        model.Open();

        await first;
        Assert.AreEqual("x holds a NaN.", (await Assert.ThrowsExactlyAsync<SmileException>(() => bad)).Message);
        CollectionAssert.AreEqual(Expected(serial, Rows(1)), await before);
        CollectionAssert.AreEqual(Expected(serial, Rows(2)), await after);

        // What the model would not take at all, and what no batch could hold.
        foreach ((Dictionary<string, HostTensor> inputs, string says) in new (Dictionary<string, HostTensor>, string)[]
        {
            ([], "no inputs"),
            (Rows(0, rows: 9), "[9, 6]; expected 1 to 8 rows"),
            (new() { ["x"] = HostTensor.FromFloats([2, 1], [1, 2]), ["y"] = HostTensor.FromFloats([1, 1], [1]) }, "Input y is [1, 1]"),
        })
        {
            StringAssert.Contains((await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.PredictAsync(inputs))).Message, says);
        }

        await using SmilePredictor real = Predictor(new ObservedModel(SmileModel.Load(folder)));
        StringAssert.Contains(
            (await Assert.ThrowsExactlyAsync<SmileException>(() => real.PredictAsync(Rows(0, width: 5)))).Message, "expected F32 [batch, 6]");
        StringAssert.Contains(
            (await Assert.ThrowsExactlyAsync<SmileException>(() => real.PredictAsync(Rows(0), ["logits"]))).Message, "no output logits");
    }

    [TestMethod]
    public async Task DisposalAnswersWhatWasAccepted()
    {
        (string folder, _) = WriteModels();
        using var serial = SmileModel.Load(folder);
        ObservedModel model = new ObservedModel(SmileModel.Load(folder)).Hold();
        SmilePredictor predictor = Predictor(model, Options(maxWait: TimeSpan.FromMinutes(1)));
        Task<float[]>[] accepted = [.. Enumerable.Range(0, 20).Select(i => OutputAsync(predictor, Rows(i)))];
        await model.EnteredAsync();

        Task disposal = predictor.DisposeAsync().AsTask();
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => predictor.PredictAsync(Rows(0)));
        await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => predictor.ReloadAsync());
        Assert.IsFalse(model.IsFreed);
        model.Open();

        // The last batch is not full, and the clock stands still: it is not waited for.
        float[][] outputs = await Task.WhenAll(accepted);
        await disposal;
        for (int i = 0; i < outputs.Length; i++)
        {
            CollectionAssert.AreEqual(Expected(serial, Rows(i)), outputs[i]);
        }

        Assert.IsTrue(model.IsFreed);
        await predictor.DisposeAsync();
        predictor.Dispose();
    }

    [TestMethod]
    public async Task RequestsAreMeasuredAndTraced()
    {
        (string folder, _) = WriteModels();
        var measured = new ConcurrentQueue<(string Instrument, double Value, string Tags)>();
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => Subscribe(instrument, listener) };
        meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Keep(instrument, value, tags));
        meters.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Keep(instrument, value, tags));
        meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Keep(instrument, value, tags));
        meters.Start();
        var activities = new ConcurrentQueue<Activity>();
        using var tracer = new ActivityListener
        {
            ShouldListenTo = source => source.Name == SmileInstrumentation.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(tracer);

        ObservedModel model = new ObservedModel(SmileModel.Load(folder)).Hold();
        SmilePredictor predictor = new("measured", Options(queueCapacity: 3), () => model, Metrics, Logger, Time);
        using var cancel = new CancellationTokenSource();
        Task first = predictor.PredictAsync(Rows(0));
        await model.EnteredAsync();
        Task[] waiting = [predictor.PredictAsync(Rows(1)), predictor.PredictAsync(Rows(2, rows: 2)), predictor.PredictAsync(Rows(3), cancellationToken: cancel.Token)];
        await Assert.ThrowsExactlyAsync<SmileOverloadException>(() => predictor.PredictAsync(Rows(4)));
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => waiting[2]);
        Time.Advance(TimeSpan.FromSeconds(3));
        model.Open();
        await Task.WhenAll(first, waiting[0], waiting[1]);
        await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.PredictAsync(Rows(5, width: 1)));
        await predictor.DisposeAsync();

        CollectionAssert.AreEquivalent(new[] { "cancelled", "error", "overload", "success", "success", "success" }, Tags("smile.requests", "outcome="));
        CollectionAssert.AreEquivalent(new double[] { 3, 3, 3, 0, 0, 0 }, Values("smile.request.duration"));
        CollectionAssert.AreEqual(new double[] { 1, 3 }, Values("smile.batch.size"));
        CollectionAssert.AreEqual(new double[] { 3, 0 }, Values("smile.batch.duration"));
        CollectionAssert.AreEqual(new double[] { 1 }, Values("smile.overloads"));
        Assert.AreEqual(0, Values("smile.queue.length").Sum());
        Assert.AreEqual(5, Values("smile.queue.length").Count(change => change > 0));

        Activity[] mine = [.. activities.Where(activity => (string?)activity.GetTagItem("model") == "measured")];
        Assert.AreEqual(6, mine.Count(activity => activity.OperationName == "smile.predict"));
        Activity batch = mine.Single(activity => activity.OperationName == "smile.batch" && (int?)activity.GetTagItem("rows") == 3);
        Assert.AreEqual(2, batch.Links.Count(link => mine.Any(request => request.OperationName == "smile.predict" && request.Context == link.Context)));

        static void Subscribe(Instrument instrument, MeterListener listener)
        {
            if (instrument.Meter.Name == SmileInstrumentation.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        }

        void Keep(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            string text = string.Join(';', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}"));
            if (text.Contains("model=measured", StringComparison.Ordinal))
            {
                measured.Enqueue((instrument.Name, value, text));
            }
        }

        double[] Values(string instrument) => [.. measured.Where(measurement => measurement.Instrument == instrument).Select(measurement => measurement.Value)];

        string[] Tags(string instrument, string tag)
            => [.. measured.Where(measurement => measurement.Instrument == instrument).Select(measurement => measurement.Tags.Split(tag)[1])];
    }
}
