using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class FusedSliceTests
{
    [TestMethod]
    [DataRow(2, 1, 1)]
    [DataRow(3, 2, 2)]
    [DataRow(8, 5, 3)]
    public void ASliceIsTheFusionOfItsSetting(int expertRank, int routerRank, int expertsPerToken)
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteClip(folder, 3, deltaRank: 20));
        using var fused = new FusedPool(pool, new SmileFusionOptions { ExpertRank = 9, RouterRank = 6 }, CancellationToken.None);
        FusedSlice slice = fused.Slice(new SmileSetting(expertRank, routerRank, expertsPerToken));
        var options = new SmileFusionOptions { ExpertRank = expertRank, RouterRank = routerRank, ExpertsPerToken = expertsPerToken };
        FusionReport report = new SmileFusion(options).Fuse(pool, folder["direct"]);
        Assert.AreEqual(report.FusedParameters, slice.CountParameters());
        using SmileModel direct = SmileModel.Load(folder["direct"]), sliced = FusedPool.Load(slice, null);
        CollectionAssert.AreEqual(Run(direct), Run(sliced));
    }

    [TestMethod]
    public void AnExpertAloneAtFullRankIsTheFineTunedModel()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [12, 20, 9], deltaRank: 20));
        using var fused = new FusedPool(pool, new SmileFusionOptions { ExpertRank = 20 }, CancellationToken.None);
        using SmileModel alone = FusedPool.Load(fused.LowRank("b", 20), null), fineTuned = SmileModel.Load(Path.Combine(pool.Location, "b"));
        float[] expected = Run(fineTuned), found = Run(alone);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i], found[i], 1e-5);
        }
    }

    private static float[] Run(SmileModel model)
    {
        int[] shape = [5, .. model.Inputs[0].Shape];
        var inputs = new Dictionary<string, HostTensor> { [model.Inputs[0].Name] = TestPool.Gaussian(new Random(4), 1, shape) };
        return model.Run(inputs)[model.Outputs[0].Name].Floats!;
    }
}
