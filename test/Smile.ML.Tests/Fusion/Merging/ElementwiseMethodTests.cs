using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>The methods that work entry by entry, or tensor by tensor, each against its formula.</summary>
[TestClass]
public class ElementwiseMethodTests
{
    // A few float32 roundings of parameters of size 3.
    private const double Tolerance = 1e-6;

    [TestMethod]
    public void AveragesAreMeansOfTheExperts()
    {
        using SmallPool pool = SmallPool.Random(1, experts: 3);
        Check(pool, new SimpleAverage(), (tensor, i) => Enumerable.Range(0, 3).Average(t => pool.Theta(t, tensor)[i]));
        Check(
            pool,
            new WeightedAverage { Weights = [1, 0, 3] },
            (tensor, i) => (pool.Theta(0, tensor)[i] + 3 * pool.Theta(2, tensor)[i]) / 4);
    }

    [TestMethod]
    public void TaskArithmeticAddsTheScaledSum()
    {
        using SmallPool pool = SmallPool.Random(2, experts: 4);
        CheckDelta(pool, new TaskArithmetic { Scale = -0.7 }, taus => -0.7 * taus.Sum());
    }

    [TestMethod]
    [DataRow(AgreeingEntries.Sum)]
    [DataRow(AgreeingEntries.Mean)]
    public void TiesTrimsOverTheWholeModelAndElectsSigns(AgreeingEntries agreeing)
    {
        using SmallPool pool = SmallPool.Random(3, experts: 5);
        double[] thresholds = [.. Enumerable.Range(0, 5).Select(t => Magnitudes(pool, t).OrderDescending().ElementAt(Share(pool, 0.3) - 1))];
        CheckDelta(pool, new Ties { Keep = 0.3, Agreeing = agreeing, Scale = 0.4 }, taus =>
        {
            double[] kept = [.. taus.Zip(thresholds, (tau, threshold) => Math.Abs(tau) >= threshold ? tau : 0)];
            double[] agree = [.. kept.Where(tau => tau * kept.Sum() > 0)];
            return 0.4 * (agreeing == AgreeingEntries.Sum ? agree.Sum() : agree.DefaultIfEmpty().Average());
        });
    }

    [TestMethod]
    public void MagMaxTakesTheLargestMagnitude()
    {
        using SmallPool pool = SmallPool.Random(4, experts: 3);
        CheckDelta(pool, new MagMax { Scale = 0.5 }, taus => 0.5 * taus.MaxBy(Math.Abs));
    }

    [TestMethod]
    public void ConsensusKeepsWhatMattersToEnoughTasks()
    {
        using SmallPool pool = SmallPool.Random(5, experts: 4);
        CheckDelta(pool, new Consensus { Threshold = 0.6, Agreement = 3, Scale = 0.8 }, taus =>
        {
            double sum = taus.Sum();
            return taus.Count(tau => Math.Abs(tau) >= 0.6 * Math.Abs(sum - tau)) >= 3 ? 0.8 * sum : 0;
        });
    }

    [TestMethod]
    public void TrustRegionLeavesOutEntriesAboveTheQuantile()
    {
        using SmallPool pool = SmallPool.Random(6, experts: 3);
        double[] all = [.. pool.Models[0].Keys.SelectMany(tensor => Enumerable.Range(0, pool.Tau(0, tensor).Length)
            .Select(i => Omega([.. pool.Taus(tensor).Select(tau => tau[i])])))];
        Array.Sort(all);
        double place = 0.75 * (all.Length - 1);
        double below = all[(int)place];
        double threshold = below + (place - (int)place) * (all[(int)place + 1] - below);
        CheckDelta(pool, new TrustRegion { Quantile = 0.75, Scale = 0.5 }, taus => Omega(taus) > threshold ? 0 : 0.5 * taus.Sum());
    }

    [TestMethod]
    [DataRow(0.5, 0.1)]
    [DataRow(0.25, 0.0)]
    [DataRow(0.95, 0.2)]
    public void BreadcrumbsDropsBothEndsOfEachTensor(double density, double gamma)
    {
        using SmallPool pool = SmallPool.Random(7, experts: 3);
        Check(pool, new Breadcrumbs { Density = density, Gamma = gamma, Combine = CombineBy.Average }, (tensor, i) =>
        {
            double sum = 0;
            foreach (double[] tau in pool.Taus(tensor))
            {
                int top = (int)(gamma * tau.Length);
                int kept = Math.Min((int)Math.Round(density * tau.Length), tau.Length - top);
                sum += tau.OrderByDescending(Math.Abs).Skip(top).Take(Math.Max(1, kept)).Contains(tau[i]) ? tau[i] : 0;
            }

            return pool.Theta(-1, tensor)[i] + sum / 3;
        });
    }

    [TestMethod]
    public void SlerpFollowsTheArcBetweenTwoExperts()
    {
        using SmallPool pool = SmallPool.Random(8, experts: 2, distance: 2);
        Check(pool, new Slerp { T = 0.3 }, (tensor, i) =>
        {
            double[] a = pool.Theta(0, tensor), b = pool.Theta(1, tensor);
            double angle = Math.Acos(Cosine(a, b));
            return (Math.Sin(0.7 * angle) * a[i] + Math.Sin(0.3 * angle) * b[i]) / Math.Sin(angle);
        });
    }

    [TestMethod]
    public void SlerpOfNearlyParallelTensorsIsLinear()
    {
        using SmallPool pool = SmallPool.Random(9, experts: 2, distance: 0.001);
        Check(pool, new Slerp { T = 0.25 }, (tensor, i) => 0.75 * pool.Theta(0, tensor)[i] + 0.25 * pool.Theta(1, tensor)[i]);
    }

    [TestMethod]
    public void ModelStockGoesTowardsTheAverageAsFarAsTheAngleSays()
    {
        // All experts share a large step, so that their task vectors' angles are acute.
        using SmallPool plain = SmallPool.Random(10, experts: 1);
        var random = new Random(11);
        using SmallPool pool = SmallPool.Around(plain.Models[0], [.. Enumerable.Range(0, 4).Select(_ => SmallPool.Moved(plain.Models[1], random, 0.2))]);
        Check(pool, new ModelStock(), (tensor, i) =>
        {
            double[][] taus = pool.Taus(tensor);
            double cosine = (from a in Enumerable.Range(0, 4) from b in Enumerable.Range(0, a) select Cosine(taus[a], taus[b])).Average();
            Assert.IsGreaterThan(0, cosine);
            double ratio = 4 * cosine / (3 * cosine + 1);
            return (1 - ratio) * pool.Theta(-1, tensor)[i] + ratio * Enumerable.Range(0, 4).Average(t => pool.Theta(t, tensor)[i]);
        });
    }

    private static void CheckDelta(SmallPool pool, MergeMethod method, Func<double[], double> delta)
        => Check(pool, method, (tensor, i) => pool.Theta(-1, tensor)[i] + delta([.. pool.Taus(tensor).Select(tau => tau[i])]));

    private static void Check(SmallPool pool, MergeMethod method, Func<string, int, double> expected)
    {
        foreach ((string tensor, float[] actual) in pool.Merge(method))
        {
            MergeAssert.AreClose(Enumerable.Range(0, actual.Length).Select(i => expected(tensor, i)), actual, Tolerance, $"{method}: {tensor}");
        }
    }

    private static IEnumerable<double> Magnitudes(SmallPool pool, int expert)
        => pool.Models[0].Keys.SelectMany(tensor => pool.Tau(expert, tensor)).Select(Math.Abs);

    private static int Share(SmallPool pool, double share) => (int)Math.Round(share * Magnitudes(pool, 0).Count());

    private static double Omega(double[] taus)
        => (from i in Enumerable.Range(0, taus.Length) from j in Enumerable.Range(0, taus.Length) where i != j select Math.Abs(taus[i] * taus[j])).Sum();

    private static double Cosine(double[] a, double[] b)
        => a.Zip(b, (x, y) => x * y).Sum() / Math.Sqrt(a.Sum(x => x * x) * b.Sum(x => x * x));
}
