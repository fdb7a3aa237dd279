using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>AddSmile as an application uses it, with a real container.</summary>
[TestClass]
public sealed class AddSmileTests
{
    [TestMethod]
    public async Task NamedModelsAreServedSideBySide()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 8, 4]);
        using SmileModel a = SmileModel.Load(Path.Combine(pool, "a")), b = SmileModel.Load(Path.Combine(pool, "b"));
        await using ServiceProvider services = new ServiceCollection()
            .AddSmile(options => options.ModelFolder = Path.Combine(pool, "a"))
            .AddSmile("second", options => options.ModelFolder = Path.Combine(pool, "b"))
            .BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
        ISmilePredictorFactory factory = services.GetRequiredService<ISmilePredictorFactory>();
        CollectionAssert.AreEqual(new[] { "", "second" }, factory.Names.ToArray());

        ISmilePredictor first = services.GetRequiredService<ISmilePredictor>();
        ISmilePredictor second = services.GetRequiredKeyedService<ISmilePredictor>("second");
        Assert.AreSame(first, factory.GetPredictor());
        Assert.AreSame(second, factory.GetPredictor("second"));
        Assert.AreEqual("second", second.Name);
        float[] sample = TestPool.Gaussian(new Random(3), 1, 6).Floats!;
        var inputs = new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1, 6], sample) };
        CollectionAssert.AreEqual(a.Run(inputs)["output"].Floats, await first.EmbedAsync(sample));
        CollectionAssert.AreEqual(b.Run(inputs)["output"].Floats, await second.EmbedAsync(sample));
        StringAssert.Contains(
            Assert.ThrowsExactly<SmileException>(() => factory.GetPredictor("third")).Message, "no Smile model \"third\"; registered: \"\", \"second\"");
    }

    [TestMethod]
    public async Task HeadsClassifyTheEmbedding()
    {
        using var folder = new TemporaryFolder();
        string model = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8, 4]), "a"), heads = Directory.CreateDirectory(folder["heads"]).FullName;
        foreach ((string task, int classes) in new[] { ("colour", 3), ("shape", 5) })
        {
            TensorFile.Write(Path.Combine(heads, $"{task}.safetensors"), new Dictionary<string, HostTensor>
            {
                ["class_embeds"] = TestPool.Gaussian(new Random(classes), 1, classes, 4),
                ["logit_scale"] = HostTensor.FromFloats([1], [5]),
            });
        }

        await using ServiceProvider services = new ServiceCollection()
            .AddSmile("heads", options => (options.ModelFolder, options.HeadsFolder) = (model, heads))
            .BuildServiceProvider();
        ISmilePredictor predictor = services.GetRequiredKeyedService<ISmilePredictor>("heads");
        CollectionAssert.AreEqual(new[] { "colour", "shape" }, predictor.Heads.Select(head => head.Name).ToArray());
        using var serial = SmileModel.Load(model);
        float[] sample = TestPool.Gaussian(new Random(3), 1, 6).Floats!;
        float[] embedding = serial.Run(new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1, 6], sample) })["output"].Floats!;

        SmileClassification result = await predictor.ClassifyAsync(sample);
        CollectionAssert.AreEqual(embedding, result.Embedding.ToArray());
        CollectionAssert.AreEquivalent(new[] { "colour", "shape" }, result.Tasks.Keys.ToArray());
        foreach (TaskHead head in TaskHead.LoadFolder(heads))
        {
            var logits = new float[head.ClassNames.Count];
            head.Score(embedding, logits);
            double sum = logits.Sum(logit => Math.Exp(logit));
            TaskPrediction prediction = result.Tasks[head.Name];
            for (int c = 0; c < logits.Length; c++)
            {
                Assert.AreEqual(Math.Exp(logits[c]) / sum, prediction.Probabilities[c], 1e-6);
            }

            Assert.AreEqual(head.ClassNames[Array.IndexOf(logits, logits.Max())], prediction.Label);
        }

        Assert.AreEqual("shape", (await predictor.ClassifyAsync(sample, ["shape"])).Tasks.Keys.Single());
        foreach ((Func<Task> request, string says) in new (Func<Task>, string)[]
        {
            (() => predictor.ClassifyAsync(sample, ["size"]), "no head for task size; found colour, shape"),
            (() => predictor.ClassifyAsync(sample[..5]), "has 5 values; input x [6] takes 6"),
            (() => predictor.ClassifyAsync(new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([2, 6], [.. sample, .. sample]) }), "expected one sample"),
            (() => predictor.ClassifyAsync([1, 2, 3, 4, 5, float.NaN]), "not finite"),
        })
        {
            StringAssert.Contains((await Assert.ThrowsExactlyAsync<SmileException>(request)).Message, says);
        }
    }

    [TestMethod]
    public async Task AHeadAskedForWithoutAHeadsFolderIsExplained()
    {
        using var folder = new TemporaryFolder();
        string model = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 4]), "a");
        await using ServiceProvider services = new ServiceCollection().AddSmile(options => options.ModelFolder = model).BuildServiceProvider();
        ISmilePredictor predictor = services.GetRequiredService<ISmilePredictor>();
        SmileException e = await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.ClassifyAsync(new float[6], ["shape"]));
        Assert.Contains("no head for task shape; found none: HeadsFolder is not set", e.Message);
        Assert.IsEmpty(predictor.Tasks);
    }

    [TestMethod]
    [DataRow("bert")]
    [DataRow("vit")]
    public async Task WhatTheNetworkClassifiesItselfAreTasks(string type)
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, type).Pretrained(2).Expert("mood", 3).Expert("topic", 5);
        pool.Fuse();
        await using ServiceProvider services = new ServiceCollection()
            .AddSmile("fused", options => options.ModelFolder = folder["fused"])
            .AddSmile("alone", options => options.ModelFolder = folder["topic"])
            .BuildServiceProvider();
        ISmilePredictor predictor = services.GetRequiredKeyedService<ISmilePredictor>("fused");
        CollectionAssert.AreEquivalent(new[] { "mood", "topic" }, predictor.Tasks.ToArray());
        Dictionary<string, HostTensor> sample = pool.Inputs().ToDictionary(input => input.Key, input => TensorRows.Slice(input.Value, 0, 1));
        using SmileModel serial = pool.Load("fused");
        IReadOnlyDictionary<string, HostTensor> outputs = serial.Run(sample);

        SmileClassification result = await predictor.ClassifyAsync(sample);
        CollectionAssert.AreEquivalent(new[] { "mood", "topic" }, result.Tasks.Keys.ToArray());
        foreach ((string task, TaskPrediction prediction) in result.Tasks)
        {
            float[] logits = outputs[$"{task}.logits"].Floats!;
            double sum = logits.Sum(logit => Math.Exp(logit));
            for (int c = 0; c < logits.Length; c++)
            {
                Assert.AreEqual(Math.Exp(logits[c]) / sum, prediction.Probabilities[c], 1e-6);
            }

            Assert.AreEqual($"{task} {Array.IndexOf(logits, logits.Max())}", prediction.Label);
        }

        Assert.AreEqual(result.Tasks["topic"].Label, (await predictor.ClassifyAsync(sample, ["topic"])).Tasks.Single().Value.Label);
        SmileException e = await Assert.ThrowsExactlyAsync<SmileException>(() => predictor.ClassifyAsync(sample, ["size"]));
        Assert.Contains("no head for task size; found mood, topic", e.Message);
        ISmilePredictor alone = services.GetRequiredKeyedService<ISmilePredictor>("alone");
        CollectionAssert.AreEqual(new[] { "logits" }, alone.Tasks.ToArray());
        StringAssert.StartsWith((await alone.ClassifyAsync(sample)).Tasks["logits"].Label, "topic ");
    }

    [TestMethod]
    public void AHeadWithTheNameOfTheNetworksOwnTaskIsRefused()
    {
        using var folder = new TemporaryFolder();
        HeadPool pool = new HeadPool(folder, "bert").Pretrained(2).Expert("mood", 3);
        pool.Fuse();
        using SmileModel model = pool.Load("fused");
        var head = new TaskHead("mood", ["x", "y"], TestPool.Gaussian(new Random(4), 1, 2, model.Outputs[0].Shape[0]).Floats, scale: 1);
        Assert.Contains("Head mood has the name of a task", Assert.ThrowsExactly<SmileException>(() => new ServedModel(model, [head])).Message);
    }

    [TestMethod]
    public void OptionsAreBoundAndValidatedAtStart()
    {
        using var folder = new TemporaryFolder();
        string model = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 4]), "a");
        SmilePredictorOptions bound = Read(new() { ["ModelFolder"] = model, ["Threads"] = "2", ["MaxWait"] = "00:00:00.005", ["ReloadOnChange"] = "true", ["QueueCapacity"] = "7" });
        Assert.AreEqual((model, 2, TimeSpan.FromMilliseconds(5), true, 7), (bound.ModelFolder, bound.Threads, bound.MaxWait, bound.ReloadOnChange, bound.QueueCapacity));

        Fails(new() { ["MaxBatchSize"] = "4" }, "Smile model \"vision\": ModelFolder is not set; expected the folder of a model.");
        Fails(new() { ["ModelFolder"] = folder["nowhere"] }, $"ModelFolder is {folder["nowhere"]}; expected a folder that exists");
        Fails(new() { ["ModelFolder"] = folder.Path }, $"ModelFolder is {folder.Path}; expected a folder with a config.json.");
        Fails(new() { ["ModelFolder"] = model, ["HeadsFolder"] = folder["nowhere"] }, $"HeadsFolder is {folder["nowhere"]}");
        Fails(new() { ["ModelFolder"] = model, ["Device"] = "" }, "Device is empty; expected a device, e.g. cpu.");
        Fails(
            new() { ["ModelFolder"] = model, ["Threads"] = "0", ["MaxBatchSize"] = "0", ["MaxWait"] = "00:02:00", ["QueueCapacity"] = "0", ["ReloadInterval"] = "0" },
            "Threads is 0; expected 1 to 1024.",
            "MaxBatchSize is 0; expected 1 to 65536.",
            "MaxWait is 00:02:00; expected 0 to 00:01:00.",
            "QueueCapacity is 0; expected 1 or more.",
            "ReloadInterval is 00:00:00; expected");
        InvalidOperationException unknown = Assert.ThrowsExactly<InvalidOperationException>(() => Read(new() { ["ModelFolder"] = model, ["MaxBatch"] = "4" }));
        StringAssert.Contains(unknown.Message, "MaxBatch");

        void Fails(Dictionary<string, string?> values, params string[] messages)
        {
            string[] failures = [.. Assert.ThrowsExactly<OptionsValidationException>(() => Read(values)).Failures];
            Assert.HasCount(messages.Length, failures, string.Join('\n', failures));
            for (int i = 0; i < messages.Length; i++)
            {
                StringAssert.Contains(failures[i], messages[i]);
            }
        }

        // What a host does before it starts anything.
        static SmilePredictorOptions Read(Dictionary<string, string?> values)
        {
            IConfiguration configuration = new ConfigurationBuilder()
                .AddInMemoryCollection(values.Select(value => KeyValuePair.Create($"Smile:Vision:{value.Key}", value.Value)))
                .Build();
            using ServiceProvider services = new ServiceCollection().AddSmile("vision", configuration.GetSection("Smile:Vision")).BuildServiceProvider();
            services.GetRequiredService<IStartupValidator>().Validate();
            return services.GetRequiredService<IOptionsMonitor<SmilePredictorOptions>>().Get("vision");
        }
    }

    [TestMethod]
    public async Task TheContainerDisposesWhatItMade()
    {
        using var folder = new TemporaryFolder();
        string model = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 4]), "a");
        using var meters = new OneMeter();
        foreach (bool asynchronous in new[] { false, true })
        {
            ServiceProvider services = new ServiceCollection()
                .AddSingleton<IMeterFactory>(meters)
                .AddSmile(options => options.ModelFolder = model)
                .BuildServiceProvider();
            ISmilePredictor predictor = services.GetRequiredService<ISmilePredictor>();
            await predictor.EmbedAsync([1, 2, 3, 4, 5, 6]);
            if (asynchronous)
            {
                await services.DisposeAsync();
            }
            else
            {
                services.Dispose();
            }

            await Assert.ThrowsExactlyAsync<ObjectDisposedException>(() => predictor.EmbedAsync([1, 2, 3, 4, 5, 6]));
        }

        Assert.AreEqual(SmileInstrumentation.MeterName, meters.Created);
    }

    /// <summary>The application's factory of meters.</summary>
    private sealed class OneMeter : IMeterFactory
    {
        private Meter? _meter;

        public string? Created => _meter?.Name;

        public Meter Create(MeterOptions options) => _meter ??= new Meter(options);

        public void Dispose() => _meter?.Dispose();
    }
}
