using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Analysis;
using Smile.ML.Networks;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class RoutingStatisticsTests
{
    [TestMethod]
    public void SharesMassAndMarginsAreCounted()
    {
        var statistics = new RoutingStatistics(["a", "b", "c"]);

        // Three tokens of task a, two experts each: first choices a, a, b; the margins are 1/2, 0 and 1/4.
        statistics.Observe("a").OnRouted("layer", 3, [4, 2, 0, 1, 1, 0, 3, 4, 0], [0, 1, 0, 1, 1, 0], [0.75f, 0.25f, 0.5f, 0.5f, 1, 0]);
        statistics.Observe("b").OnRouted("layer", 1, [0, 0, 5], [2, 0], [1, 0]);
        LayerRouting layer = statistics.Summarize().Layers.Single();
        CollectionAssert.AreEqual(new[] { 2.0 / 3, 1.0 / 3, 0 }, layer.Shares.GetRow(0).ToArray());
        CollectionAssert.AreEqual(new[] { 1.25 / 3, 1.75 / 3, 0 }, layer.Mass.GetRow(0).ToArray());
        Assert.AreEqual(2.0 / 3, layer.OwnExpertShare(0));
        Assert.AreEqual(0, layer.OwnExpertShare(1));
        RoutingAnalysis analysis = statistics.Summarize();
        CollectionAssert.AreEqual(new[] { 2.0 / 3, 0 }, analysis.OwnExpertShares.GetRow(0).ToArray());
        Assert.AreEqual(1.0 / 3, analysis.MeanOwnExpertShare, 1e-12);
        Assert.AreEqual(0, (analysis with { Layers = [] }).OwnExpertShares.Rows.Count, "What is computed follows a changed copy.");
        Assert.AreEqual(0, (analysis with { Layers = [] }).MeanOwnExpertShare);
        Assert.AreEqual(4, layer.Margins.Tokens);
        Assert.AreEqual(1, layer.Margins.Own[10]);
        Assert.AreEqual(1, layer.Margins.Own[0]);
        Assert.AreEqual(1, layer.Margins.Other[5]);
        Assert.AreEqual(1, layer.Margins.Other[MarginHistogram.BinCount - 1]);
    }

    [TestMethod]
    public void RowsSumToOneAndTheOrderOfBatchesDoesNotMatter()
    {
        Gen<(int Experts, int Tokens, int Seed)> cases =
            from experts in Gen.Choose(2, 6)
            from tokens in Gen.Choose(2, 30)
            from seed in Gen.Choose(0, 1000)
            select (experts, tokens, seed);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(30), Prop.ForAll(cases.ToArbitrary(), x =>
        {
            string[] names = [.. Enumerable.Range(0, x.Experts).Select(e => $"{e}")];
            var random = new Random(x.Seed);
            var whole = new RoutingStatistics(names);
            var split = new RoutingStatistics(names);
            IRoutingObserver one = whole.Observe("0"), two = split.Observe("0");
            float[] logits = [.. Enumerable.Range(0, x.Experts * x.Tokens).Select(_ => random.NextSingle())];
            int[] selected = [.. Enumerable.Range(0, x.Tokens).Select(_ => random.Next(x.Experts))];
            float[] weights = [.. Enumerable.Repeat(1f, x.Tokens)];
            one.OnRouted("layer", x.Tokens, logits, selected, weights);
            int half = x.Tokens / 2;
            two.OnRouted("layer", x.Tokens - half, logits.AsSpan(half * x.Experts), selected.AsSpan(half), weights.AsSpan(half));
            two.OnRouted("layer", half, logits.AsSpan(0, half * x.Experts), selected.AsSpan(0, half), weights.AsSpan(0, half));
            LayerRouting a = whole.Summarize().Layers[0], b = split.Summarize().Layers[0];
            Assert.AreEqual(1, a.Shares.GetRow(0).Sum(), 1e-12);
            Assert.AreEqual(1, a.Mass.GetRow(0).Sum(), 1e-12);
            CollectionAssert.AreEqual(a.Shares.GetRow(0).ToArray(), b.Shares.GetRow(0).ToArray());
            CollectionAssert.AreEqual(a.Margins.Own.ToArray(), b.Margins.Own.ToArray());
        }));
    }

    [TestMethod]
    public void AuditOfSpecialistsAndOfOneThatServesAll()
    {
        RoutingAudit specialists = RoutingAudit.From(Mass([[1, 0, 0], [0, 1, 0], [0, 0, 1]]));
        CollectionAssert.AreEqual(new[] { "0", "1", "2" }, specialists.Committee.ToArray());
        Assert.AreEqual(1, specialists.CommitteeMass, 1e-12);
        Assert.AreEqual(0, specialists.Jaccard);
        Assert.AreEqual(0, specialists.Gini, 1e-12);

        RoutingAudit collapsed = RoutingAudit.From(Mass([[0, 1, 0], [0, 1, 0], [0, 1, 0]]));
        CollectionAssert.AreEqual(new[] { "1" }, collapsed.Committee.ToArray());
        Assert.AreEqual(1, collapsed.Jaccard);
        Assert.AreEqual(2.0 / 3, collapsed.Gini, 1e-12);

        // Expert 0 has half of the first domain and 0.4 of the second, which needs 1 as well; 2 would do, but carries less.
        RoutingAudit mixed = RoutingAudit.From(Mass([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25]]));
        CollectionAssert.AreEqual(new[] { "0", "1" }, mixed.Committee.ToArray());
        Assert.AreEqual(0.775, mixed.CommitteeMass, 1e-12);
        Assert.AreEqual(0.5, mixed.Jaccard, 1e-12);
    }

    [TestMethod]
    public void ACommitteeOfManyExpertsCarriesHalfInEveryDomain()
    {
        var random = new Random(3);
        double[][] mass = [.. Enumerable.Range(0, 5).Select(_ =>
        {
            double[] row = [.. Enumerable.Range(0, 30).Select(_ => random.NextDouble())];
            return row.Select(value => value / row.Sum()).ToArray();
        })];
        RoutingAudit audit = RoutingAudit.From(Mass(mass));
        Assert.IsTrue(audit.Committee.Count < 30);
        foreach (double[] domain in mass)
        {
            Assert.IsTrue(audit.Committee.Sum(expert => domain[int.Parse(expert, System.Globalization.CultureInfo.InvariantCulture)]) >= 0.5 - 1e-9);
        }
    }

    private static LabelledMatrix Mass(double[][] mass)
        => new([.. mass.Select((_, i) => $"domain {i}")], [.. mass[0].Select((_, i) => $"{i}")], (row, column) => mass[row][column]);
}
