using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.LinearAlgebra;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.LinearAlgebra;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class WeightAnalysisTests
{
    [TestMethod]
    public void SpectraAreThoseOfTheDeltas()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [14, 11], deltaRank: 20));
        LayerWeightAnalysis layer = WeightAnalysis.Measure(pool, new WeightAnalysisOptions { SpectrumRank = 8 }).Single();
        for (int e = 0; e < 2; e++)
        {
            using Matrix delta = Delta(pool, e);
            double[] expected = ReferenceSvd.SingularValues(delta);
            DeltaSpectrum spectrum = layer.Spectra[e];
            Assert.AreEqual(8, spectrum.SingularValues.Count);
            double total = expected.Sum(s => s * s);
            Assert.AreEqual(Math.Sqrt(total), spectrum.Norm, 1e-6 * spectrum.Norm);
            using Matrix pretrained = Read(pool.Pretrained);
            Assert.AreEqual(Math.Sqrt(total / pretrained.View.Energy()), spectrum.RelativeNorm, 1e-6);
            for (int k = 0; k <= 8; k++)
            {
                Assert.AreEqual(expected.Take(k).Sum(s => s * s) / total, spectrum.ExplainedVariance(k), 1e-6, $"k = {k}");
            }

            int needed = Enumerable.Range(0, 12).First(k => expected.Take(k).Sum(s => s * s) >= 0.5 * total);
            Assert.AreEqual(needed, spectrum.RankFor(0.5));
            Assert.IsNull(spectrum.RankFor(0.99999), "eight of eleven values don't carry all");
        }
    }

    [TestMethod]
    public void ARouterRankBeyondTheDeltasChangesNothing()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [14, 11], deltaRank: 3));
        SeparabilityVerdict[] verdicts = [.. new[] { 3, 11, 14, 40 }.Select(rank => SeparabilityVerdict.From(
            [.. WeightAnalysis.Measure(pool, new WeightAnalysisOptions { RouterRank = rank, Zones = false })], []))];
        foreach (SeparabilityVerdict verdict in verdicts)
        {
            Assert.AreEqual(verdicts[0].Summary, verdict.Summary);
            Assert.AreEqual(verdicts[0].RouterOverlap!.Value, verdict.RouterOverlap!.Value, 1e-9);
        }
    }

    [TestMethod]
    public void OverlapsFollowTheirFormulas()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [18, 13], deltaRank: 20));
        const int RouterRank = 4, ExpertRank = 13;
        LayerWeightAnalysis layer = WeightAnalysis.Measure(
            pool, new WeightAnalysisOptions { RouterRank = RouterRank, ExpertRank = ExpertRank, Zones = false }).Single();
        using TruncatedSvd a = Factorize(pool, 0), b = Factorize(pool, 2);
        using var cosines = new Matrix(RouterRank, RouterRank);
        for (int i = 0; i < RouterRank; i++)
        {
            for (int j = 0; j < RouterRank; j++)
            {
                cosines.Row(i)[j] = (float)Dot(a.RightTransposed.Row(i), b.RightTransposed.Row(j));
            }
        }

        double[] angles = ReferenceSvd.SingularValues(cosines);
        Assert.AreEqual(angles.Average(c => c * c), layer.RouterOverlap[0, 2], 1e-6);
        Assert.AreEqual(angles[0], layer.LargestCosine[0, 2], 1e-6);
        Assert.AreEqual(RouterRank / 18.0, layer.RandomRouterOverlap, 1e-12);

        // At full rank the k x k products give the cosine of the deltas as long vectors.
        using Matrix first = Delta(pool, 0), third = Delta(pool, 2);
        double cosine = Dot(first.Span, third.Span) / Math.Sqrt(Dot(first.Span, first.Span) * Dot(third.Span, third.Span));
        Assert.AreEqual(cosine, layer.DeltaCosine[0, 2], 1e-6);
        Assert.AreEqual(1, layer.DeltaCosine[1, 1], 1e-6);
        Assert.AreEqual(1, layer.RouterOverlap[1, 1], 1e-6);
    }

    [TestMethod]
    public void PermutingExpertsPermutesEverythingAndThreadsChangeNothing()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteClip(folder, 3, deltaRank: 20));
        List<LayerWeightAnalysis> plain = [.. WeightAnalysis.Measure(pool, new WeightAnalysisOptions { RouterRank = 4, Threads = 1 })];
        List<LayerWeightAnalysis> permuted = [.. WeightAnalysis.Measure(pool.Select("c", "a", "b"), new WeightAnalysisOptions { RouterRank = 4, Threads = 2 })];
        int[] order = [2, 0, 1];
        Assert.AreEqual(13, plain.Count);
        foreach ((LayerWeightAnalysis x, LayerWeightAnalysis y) in plain.Zip(permuted))
        {
            Assert.AreEqual(x.Layer, y.Layer);
            for (int i = 0; i < 3; i++)
            {
                Assert.AreEqual(x.ProjectedEnergy[order[i]], y.ProjectedEnergy[i]);
                Assert.AreEqual(x.Spectra[order[i]].Expert, y.Spectra[i].Expert);
                CollectionAssert.AreEqual(x.Spectra[order[i]].SingularValues.ToArray(), y.Spectra[i].SingularValues.ToArray());
                for (int j = 0; j < 3; j++)
                {
                    Assert.AreEqual(x.RouterOverlap[order[i], order[j]], y.RouterOverlap[i, j], 1e-12);
                    Assert.AreEqual(x.LargestCosine[order[i], order[j]], y.LargestCosine[i, j], 1e-9);
                    Assert.AreEqual(x.DeltaCosine[order[i], order[j]], y.DeltaCosine[i, j], 1e-12);
                }
            }
        }
    }

    [TestMethod]
    public void AnExpertThatChangedNothingOverlapsWithNobody()
    {
        using var folder = new TemporaryFolder();
        string path = TestPool.WriteMlp(folder, 2, [9, 7]);
        using (HuggingFaceFolder pretrained = HuggingFaceFolder.Open(Path.Combine(path, "_pretrained_")))
        {
            float[] weight = pretrained.ReadFloats("layers.0.weight");
            TestPool.Edit(Path.Combine(path, "a"), tensors => tensors["layers.0.weight"] = HostTensor.FromFloats([7, 9], weight));
        }

        using ModelPool pool = ModelPool.Open(path);
        LayerWeightAnalysis layer = WeightAnalysis.Measure(pool).Single();
        Assert.AreEqual(0, layer.RouterOverlap[0, 1]);
        Assert.AreEqual(0, layer.DeltaCosine[0, 1]);
        Assert.AreEqual(0, layer.Spectra[0].SingularValues.Count);
        Assert.AreEqual(1, layer.Spectra[0].ExplainedVariance(0));
        Assert.AreEqual(new ProjectedEnergy("a", 0, 0, 0), layer.ProjectedEnergy[0]);
    }

    private static TruncatedSvd Factorize(ModelPool pool, int expert)
    {
        using Matrix delta = Delta(pool, expert);
        using var threads = new ML.Compute.Cpu.WorkerPool(1);
        return TruncatedSvd.Compute(delta, 20, threads);
    }

    private static Matrix Delta(ModelPool pool, int expert)
    {
        Matrix delta = Read(pool.Experts[expert].Parameters);
        using Matrix pretrained = Read(pool.Pretrained);
        for (int i = 0; i < delta.Length; i++)
        {
            delta.Span[i] -= pretrained.Span[i];
        }

        return delta;
    }

    private static Matrix Read(ITensorSource source)
    {
        TensorInfo info = source.GetTensor("layers.0.weight");
        var matrix = new Matrix((int)info.Shape[0], (int)info.Shape[1]);
        source.ReadFloats(info.Name).CopyTo(matrix.Span);
        return matrix;
    }

    private static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += (double)x[i] * y[i];
        }

        return sum;
    }
}
