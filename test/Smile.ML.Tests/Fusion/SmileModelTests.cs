using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

[TestClass]
public sealed class SmileModelTests
{
    [TestMethod]
    public void AnInputThatTheModelDoesNotTakeIsRefused()
    {
        using var folder = new TemporaryFolder();
        using SmileModel model = SmileModel.Load(Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8, 5]), "a"));
        var inputs = new Dictionary<string, HostTensor> { ["x"] = TestPool.Gaussian(new Random(1), 1, 2, 6), ["attention_maks"] = HostTensor.FromIntegers([2], [1, 0]) };
        SmileException e = Assert.ThrowsExactly<SmileException>(() => model.Run(inputs));
        Assert.AreEqual("The model has no input attention_maks; it takes x.", e.Message);
    }

    [TestMethod]
    [DataRow("cpu:0", "the CPU is just \"cpu\"")]
    [DataRow("tpu", "available here: cpu")]
    [DataRow("", "available here: cpu")]
    public void ADeviceThatIsNotThereIsRefused(string device, string expected)
    {
        using var folder = new TemporaryFolder();
        string model = Path.Combine(TestPool.WriteMlp(folder, 1, [6, 8, 5]), "a");
        SmileException e = Assert.ThrowsExactly<SmileException>(() => SmileModel.Load(model, new ComputeOptions { Device = device }));
        Assert.Contains($"\"{device}\"", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void AnyRangeOfBytesIsThatOfTheWholeTensor()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [6, 8, 5]));
        using var fused = new FusedPool(pool, new SmileFusionOptions { ExpertRank = 4, RouterRank = 2 }, CancellationToken.None);
        using ITensorSource merged = new SimpleAverage().Merge(pool);
        TestAdapter.Write(folder["adapter"], TestAdapter.Config(), TestAdapter.Factors(new Random(1), "layers.0", 8, 6, 2));
        using ModelPool adapted = ModelPool.Open(
            Path.Combine(pool.Location, "_pretrained_"), [KeyValuePair.Create("lora", folder["adapter"])]);
        foreach (ITensorSource source in new[] { pool.Pretrained, merged, fused.Folder, fused.Slice(new SmileSetting(2, 1, 1)), adapted.Experts[0].Parameters })
        {
            foreach (TensorInfo tensor in source.Tensors.Values)
            {
                byte[] whole = source.ReadBytes(tensor.Name);
                for (int start = 0; start < Math.Min(whole.Length, 9); start++)
                {
                    for (int length = 0; length <= Math.Min(whole.Length - start, 9); length++)
                    {
                        var part = new byte[length];
                        source.ReadBytes(tensor.Name, start, part);
                        CollectionAssert.AreEqual(whole[start..(start + length)], part, $"{source}: {tensor.Name}, {start}, {length}");
                    }
                }
            }
        }
    }

    [TestMethod]
    public void ALayerCanBeMeasuredAgain()
    {
        using var benchmark = new LayerBenchmark(8, 6, 2, new SmileFusionOptions { ExpertRank = 2, RouterRank = 1, Threads = 1 });
        for (int i = 0; i < 2; i++)
        {
            (Timing plain, Timing routed, Timing ratio) = benchmark.Forward(3, new ComputeOptions { Threads = 1 });
            Assert.IsTrue(plain.Minimum > 0 && routed.Minimum > 0 && ratio.Minimum > 0);
        }

        Assert.IsGreaterThan(0, benchmark.Fuse().Minimum);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => benchmark.Fuse(cancelled.Token));
    }
}
