using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Tests.Networks.Generation;

[TestClass]
public sealed class TokenSamplerTests
{
    private static readonly double[] Probabilities = [0.15, 0.5, 0.05, 0.3];

    private static readonly float[] Logits = [.. Probabilities.Select(p => (float)Math.Log(p))];

    [TestMethod]
    public void GreedyTakesTheLargestLogit()
    {
        var sampler = new TokenSampler(new GenerationOptions());
        Assert.AreEqual(1, sampler.Choose([0f, 3f, float.NaN, 3f, -1f], 0, 0));
        Assert.AreEqual(2, sampler.Choose([float.NaN, float.NegativeInfinity, -5f], 0, 0));
        Assert.Contains("no token", Assert.ThrowsExactly<SmileException>(() => sampler.Choose([float.NaN], 0, 0)).Message, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(1.0, null, 1.0, new[] { 0.15, 0.5, 0.05, 0.3 })]
    [DataRow(0.5, null, 1.0, new[] { 0.0225 / 0.365, 0.25 / 0.365, 0.0025 / 0.365, 0.09 / 0.365 })]
    [DataRow(1.0, 2, 1.0, new[] { 0, 0.625, 0, 0.375 })]
    [DataRow(1.0, 1, 1.0, new[] { 0, 1.0, 0, 0 })]
    [DataRow(1.0, 9, 0.81, new[] { 0.15 / 0.95, 0.5 / 0.95, 0, 0.3 / 0.95 })]
    [DataRow(1.0, null, 0.79, new[] { 0, 0.625, 0, 0.375 })]
    [DataRow(1.0, null, 1e-9, new[] { 0, 1.0, 0, 0 })]
    [DataRow(1.0, 3, 0.6, new[] { 0, 0.625, 0, 0.375 })]
    public void DrawsWithTheRightFrequencies(double temperature, int? topK, double topP, double[] expected)
    {
        const int Draws = 40_000;
        var sampler = new TokenSampler(new GenerationOptions { Temperature = temperature, TopK = topK, TopP = topP, Seed = 5 });
        var counts = new int[expected.Length];
        for (int i = 0; i < Draws; i++)
        {
            counts[sampler.Choose(Logits, i % 4, i / 4)]++;
        }

        for (int token = 0; token < expected.Length; token++)
        {
            // Four standard deviations; the draws are the same in every run.
            double tolerance = 4 * Math.Sqrt(expected[token] * (1 - expected[token]) * Draws);
            Assert.AreEqual(expected[token] * Draws, counts[token], tolerance);
        }
    }

    [TestMethod]
    public void OnlyDrawsFromTheNucleusOfTheTopTokens()
    {
        Gen<(float[] Logits, int K, double P, double T, ulong Seed)> cases =
            from logits in Gen.Choose(-400, 400).Select(value => value / 40f).ArrayOf().Where(array => array.Length > 0)
            from k in Gen.Choose(1, 12)
            from p in Gen.Choose(1, 999)
            from t in Gen.Choose(1, 30)
            from seed in Gen.Choose(0, int.MaxValue)
            select (logits, k, p / 1000.0, t / 10.0, (ulong)seed);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            int chosen = new TokenSampler(new GenerationOptions { Temperature = c.T, TopK = c.K, TopP = c.P, Seed = c.Seed }).Choose(c.Logits, 0, 0);
            int[] top = [.. Enumerable.Range(0, c.Logits.Length).OrderByDescending(i => c.Logits[i]).ThenBy(i => i).Take(c.K)];
            double[] weights = [.. top.Select(i => Math.Exp((c.Logits[i] - c.Logits[top[0]]) / c.T))];

            // A token may be drawn when those before it do not yet reach the probability.
            double before = weights.TakeWhile((_, i) => top[i] != chosen).Sum() / weights.Sum();
            return top.Contains(chosen) && before < c.P + 1e-9;
        }).QuickCheckThrowOnFailure();
    }

    [TestMethod]
    public void ASeedFixesEverySequencesDraws()
    {
        int[] first = Draw(seed: 1, sequence: 0);
        CollectionAssert.AreEqual(first, Draw(seed: 1, sequence: 0));
        CollectionAssert.AreNotEqual(first, Draw(seed: 2, sequence: 0));
        CollectionAssert.AreNotEqual(first, Draw(seed: 1, sequence: 1));

        static int[] Draw(ulong seed, int sequence)
        {
            var sampler = new TokenSampler(new GenerationOptions { Temperature = 1, Seed = seed });
            return [.. Enumerable.Range(0, 30).Select(position => sampler.Choose(Logits, sequence, position))];
        }
    }
}
