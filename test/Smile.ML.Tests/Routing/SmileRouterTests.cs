using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Routing;

namespace Smile.ML.Tests.Routing;

[TestClass]
public sealed class SmileRouterTests
{
    [TestMethod]
    public void RoutesByTheFormula() => Prop.ForAll(
        ArbMap.Default.ArbFor<int>(),
        seed =>
        {
            var random = new Random(seed);
            int experts = random.Next(2, 12), rank = random.Next(1, 9), chosen = random.Next(1, experts + 1);
            float[] gate = [.. Enumerable.Range(0, experts * rank).Select(_ => (float)(random.NextDouble() * 4 - 2))];
            var scores = new float[experts];
            var selected = new int[chosen];
            var weights = new float[chosen];
            new SmileRouter(experts, chosen).Route(gate, scores, selected, weights);

            // r_e = ||V_e^T x||; p = softmax(r) over all experts; the best of them, renormalised.
            double[] norms = [.. Enumerable.Range(0, experts).Select(e => Math.Sqrt(gate.Skip(e * rank).Take(rank).Sum(g => (double)g * g)))];
            double[] p = [.. norms.Select(r => Math.Exp(r) / norms.Sum(Math.Exp))];
            int[] best = [.. Enumerable.Range(0, experts).OrderByDescending(e => (float)norms[e]).ThenBy(e => e).Take(chosen)];
            double kept = best.Sum(e => p[e]);
            return best.SequenceEqual(selected)
                && best.Select((e, i) => Math.Abs(p[e] / kept - weights[i])).All(d => d < 1e-6)
                && norms.Select((r, e) => Math.Abs(r - scores[e])).All(d => d < 1e-5);
        }).QuickCheckThrowOnFailure();

    [TestMethod]
    public void EqualLogitsGoToTheLowerNumber()
    {
        var (scores, selected, weights) = (new float[4], new int[2], new float[2]);
        new SmileRouter(4, 2).Route([0, 0, 3, -3], scores, selected, weights);
        CollectionAssert.AreEqual(new[] { 2, 3 }, selected);
        CollectionAssert.AreEqual(new[] { 0.5f, 0.5f }, weights);
        new SmileRouter(4, 2).Route([], scores, selected, weights);
        CollectionAssert.AreEqual(new[] { 0, 1 }, selected);
    }

    [TestMethod]
    public void LargeLogitsDoNotOverflow()
    {
        var (scores, selected, weights) = (new float[2], new int[2], new float[2]);
        new SmileRouter(2, 2).Route([3e38f, 1e30f], scores, selected, weights);
        CollectionAssert.AreEqual(new[] { 0, 1 }, selected);
        CollectionAssert.AreEqual(new[] { 1f, 0f }, weights);
    }

    [TestMethod]
    public void ASingleExpertNeedsNoGate()
    {
        var (scores, selected, weights) = (new float[1], new int[1], new float[1]);
        new SmileRouter(1, 1).Route([], scores, selected, weights);
        Assert.AreEqual((1f, 0, 1f), (scores[0], selected[0], weights[0]));
    }
}
