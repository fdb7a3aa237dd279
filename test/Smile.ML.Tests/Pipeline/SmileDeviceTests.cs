using Microsoft.ML;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

/// <summary>Where models of a pipeline run.</summary>
[TestClass]
public sealed class SmileDeviceTests : PipelineTest
{
    private const string FakeDevice = "tally";

    /// <summary>A GPU that no machine has.</summary>
    private const int NoGpu = 9999;

    private static readonly List<ComputeOptions> Created = [];
    private static readonly float[][] Rows = TinyModels.Rows(3, TinyModels.MlpInputs);

    [ClassInitialize]
    public static void RegisterFakeDevice(TestContext context) => Backends.Register(FakeDevice, options =>
    {
        Created.Add(options);
        return new CpuBackend(options.Threads);
    });

    [TestMethod]
    public void WhatIsAskedForIsUsedForFittingAndLoading()
    {
        SmileOptions options = Options;
        options.Device = FakeDevice + ":3";
        Created.Clear();
        using SmileTransformer fitted = Fit(options);
        Assert.IsTrue(Created.Any(created => created is { Device: FakeDevice + ":3", Threads: 1 }));

        byte[] saved = Save(fitted);
        Created.Clear();
        using (SmileTransformer loaded = Load(saved, new MLContext()))
        {
            Assert.IsEmpty(Created, "a saved pipeline doesn't say where it runs");
            AssertSameBits(Column(fitted.Transform(Load(Rows)), "Embedding"), Column(loaded.Transform(Load(Rows)), "Embedding"));
        }

        MLContext chosen = new MLContext { GpuDeviceId = NoGpu }.RegisterSmile(new ComputeOptions { Device = FakeDevice, Threads = 2 });
        using (Load(saved, chosen))
        {
            Assert.IsTrue(Created.All(created => created is { Device: FakeDevice, Threads: 2 }));
            Assert.IsNotEmpty(Created);
        }
    }

    [TestMethod]
    public void TheContextsGpuIsAskedForElse()
    {
        using SmileTransformer fitted = Fit(Options);
        byte[] saved = Save(fitted);
        var ml = new MLContext { GpuDeviceId = NoGpu };
        Action[] uses =
        [
            () => Load(saved, ml).Dispose(),
            () => ml.Transforms.Smile(Mlp, Options).Fit(Load(Rows)).Dispose(),
            () => ml.Transforms.ApplySmileModel(Path.Combine(Mlp.Location, "expert0"), new() { InputColumnName = "Pixels" }),
        ];
        foreach (Action use in uses)
        {
            Exception error = Assert.Throws<Exception>(use);
            Assert.IsInstanceOfType<SmileException>(error.InnerException ?? error);

            // Without a driver the backend says that; with one, that there is no such device.
            Assert.Contains("CUDA", (error.InnerException ?? error).Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [TestMethod]
    public void TheCpuTakesOverOnlyWhereTheContextAllowsItAndSaysSo()
    {
        using SmileTransformer fitted = Fit(Options);
        byte[] saved = Save(fitted);
        var warnings = new List<string>();
        var ml = new MLContext { GpuDeviceId = NoGpu, FallbackToCpu = true };
        ml.Log += (_, message) => warnings.Add($"{message.Kind} {message.RawMessage}");

        using SmileTransformer loaded = Load(saved, ml);
        Assert.AreEqual("cpu", loaded.Model.Device);
        AssertSameBits(Column(fitted.Transform(Load(Rows)), "Embedding"), Column(loaded.Transform(Load(Rows)), "Embedding"));
        Assert.IsTrue(warnings.Exists(warning => warning.StartsWith($"Warning cuda:{NoGpu} can't be used", StringComparison.Ordinal)));

        // A device that the CPU itself can't be is no reason to fall back.
        SmileOptions options = Options;
        (options.Device, options.Threads) = ("cpu", 0);
        Assert.Contains("Threads is 0", Assert.ThrowsExactly<SmileException>(() => ml.Transforms.Smile(Mlp, options).Fit(Load(Rows))).Message);
    }

    private byte[] Save(SmileTransformer transformer)
    {
        using var file = new MemoryStream();
        Ml.Model.Save(transformer, null, file);
        return file.ToArray();
    }

    private static SmileTransformer Load(byte[] saved, MLContext ml)
    {
        using var file = new MemoryStream(saved);
        return (SmileTransformer)ml.Model.Load(file, out _);
    }
}
