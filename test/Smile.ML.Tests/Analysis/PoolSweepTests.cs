using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class PoolSweepTests
{
    [TestMethod]
    public void ASweepGivesWhatSingleFusionsGive()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(EvaluationPool(folder));
        using PoolEvaluation evaluation = PoolEvaluation.Open(pool, folder["heads"], folder["data"]);
        SmileSetting[] settings = [new(4, 2, 1), new(null, 4, 2), new(2, 4, 2)];
        IReadOnlyList<SweepPoint> points = evaluation.Sweep(settings);
        CollectionAssert.AreEqual(settings, points.Select(point => point.Setting).ToArray());
        foreach (SweepPoint point in points)
        {
            MethodResult single = evaluation.Smile(new SmileFusionOptions
            {
                ExpertRank = point.Setting.ExpertRank,
                RouterRank = point.Setting.RouterRank,
                ExpertsPerToken = point.Setting.ExpertsPerToken,
            });
            Assert.AreEqual(single.Method, point.Result.Method);
            Assert.AreEqual(single.Parameters, point.Result.Parameters);
            Assert.IsTrue(single.Accuracy.SequenceEqual(point.Result.Accuracy));
        }
    }

    [TestMethod]
    public void ASweepTakesEveryOptionButItsSettings()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(EvaluationPool(folder));
        using PoolEvaluation evaluation = PoolEvaluation.Open(pool, folder["heads"], folder["data"]);
        var options = new SmileFusionOptions { Precision = StoredPrecision.BF16, Keep = ["*.q_proj"] };
        SmileSetting setting = new(4, 2, 1);
        using (FusedPool fused = evaluation.Fuse([setting], options, CancellationToken.None))
        {
            Assert.IsTrue(fused.Folder.Tensors.Values.All(tensor => tensor.Type is TensorType.BF16 or TensorType.I64));
        }

        MethodResult single = evaluation.Smile(options with { ExpertRank = 4, RouterRank = 2 }), point = evaluation.Sweep([setting], options)[0].Result;
        Assert.AreEqual(single.Parameters, point.Parameters);
        Assert.IsTrue(single.Accuracy.SequenceEqual(point.Accuracy));
    }

    [TestMethod]
    public void ProjectingOntoEveryDirectionIsTheFineTunedModel()
    {
        // The pretrained weights are zero, so zone I is empty and zones II and III hold everything.
        using var folder = new TemporaryFolder();
        string path = EvaluationPool(folder);
        TestPool.Edit(Path.Combine(path, "_pretrained_"), tensors =>
        {
            foreach (string name in tensors.Keys.Where(name => tensors[name].Shape.Count == 2 && name.EndsWith("_proj.weight", StringComparison.Ordinal)).ToArray())
            {
                tensors[name] = HostTensor.FromFloats(tensors[name].Shape, new float[tensors[name].Floats!.Length]);
            }
        });
        using ModelPool pool = ModelPool.Open(path);
        using var threads = new ML.Compute.Cpu.WorkerPool(1);
        using var all = new ProjectionTensors(pool, pool.Check(), pool.Experts[0], SubspaceZone.IIAndIII, threads);
        using var none = new ProjectionTensors(pool, pool.Check(), pool.Experts[0], SubspaceZone.I, threads);
        const string Zeroed = "vision_model.encoder.layers.0.self_attn.q_proj.weight";
        CollectionAssert.AreEqual(pool.Experts[0].Parameters.ReadFloats(Zeroed), all.ReadFloats(Zeroed));
        CollectionAssert.AreEqual(new float[16 * 16], none.ReadFloats(Zeroed));
        CollectionAssert.AreEqual(
            pool.Experts[0].Parameters.ReadFloats("vision_model.post_layernorm.weight"), none.ReadFloats("vision_model.post_layernorm.weight"));
    }

    [TestMethod]
    public void ASampleIsSpreadEvenly()
    {
        using var folder = new TemporaryFolder();
        EvaluationPool(folder);
        using TaskData all = TaskData.Open(Path.Combine(folder["data"], "a_test.safetensors"));
        using TaskData few = TaskData.Open(Path.Combine(folder["data"], "a_test.safetensors"), maxCount: 4);
        Assert.AreEqual(4, few.Count);
        int[] rows = [0, 2, 5, 7];
        for (int i = 0; i < 4; i++)
        {
            CollectionAssert.AreEqual(all.ReadImages(rows[i], 1).Floats, few.ReadImages(i, 1).Floats);
            Assert.AreEqual(all.Labels[rows[i]], few.Labels[i]);
        }

        CollectionAssert.AreEqual(few.ReadImages(0, 4).Floats, all.ReadSample(4).Floats);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => few.ReadImages(2, 3));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => few.ReadImages(int.MaxValue, 1));
    }

    /// <summary>A pool of two experts with random heads and ten random images per task.</summary>
    internal static string EvaluationPool(TemporaryFolder folder)
    {
        string pool = TestPool.WriteClip(folder, 2, deltaRank: 6);
        Directory.CreateDirectory(folder["heads"]);
        Directory.CreateDirectory(folder["data"]);
        foreach ((string task, int seed) in new[] { ("a", 1), ("b", 2) })
        {
            var random = new Random(seed);
            TensorFile.Write(Path.Combine(folder["heads"], $"{task}.safetensors"), new Dictionary<string, HostTensor>
            {
                ["class_embeds"] = TestPool.Gaussian(random, 1, 3, 12),
                ["logit_scale"] = HostTensor.FromFloats([1], [10]),
            });
            TensorFile.Write(Path.Combine(folder["data"], $"{task}_test.safetensors"), new Dictionary<string, HostTensor>
            {
                ["images"] = TestPool.Gaussian(random, 1, 10, 3, 8, 8),
                ["labels"] = HostTensor.FromIntegers([10], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]),
            });
        }

        return pool;
    }
}
