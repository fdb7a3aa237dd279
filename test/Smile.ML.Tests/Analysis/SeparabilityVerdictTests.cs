using Smile.ML.Analysis;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class SeparabilityVerdictTests
{
    [TestMethod]
    [DataRow(0.1, Separability.Good)]
    [DataRow(0.5, Separability.Partial)]
    [DataRow(0.9, Separability.Poor)]
    public void InputsDecideWhereThereAreAny(double overlap, Separability expected)
    {
        SeparabilityVerdict alone = SeparabilityVerdict.From([], Inputs(overlap));
        SeparabilityVerdict withWeights = SeparabilityVerdict.From(Weights(0.3), Inputs(overlap));
        Assert.AreEqual(expected, alone.Level);
        Assert.AreEqual(expected, withWeights.Level);
        Assert.AreEqual(overlap, alone.InputOverlap!.Value, 1e-12);
        Assert.IsNull(alone.RouterOverlap);
        Assert.AreEqual(expected == Separability.Good, alone.Advice.Count == 0);
    }

    [TestMethod]
    [DataRow(0.2, Separability.Good)]
    [DataRow(0.45, Separability.Partial)]
    [DataRow(0.8, Separability.Poor)]
    public void WeightsAloneDecideByTheOverlapBeyondChance(double overlap, Separability expected)
    {
        SeparabilityVerdict verdict = SeparabilityVerdict.From(Weights(overlap), []);
        Assert.AreEqual(expected, verdict.Level);
        Assert.AreEqual((overlap - 0.1) / 0.9, verdict.RouterOverlap!.Value, 1e-12);
        StringAssert.Contains(verdict.Summary, "weak evidence", StringComparison.Ordinal);
    }

    [TestMethod]
    public void TheClosestPairIsNamed()
    {
        LabelledMatrix cosine = new(["a", "b", "c"], ["a", "b", "c"], (i, j) => i == j ? 1 : i + j == 3 ? 0.9 : 0.4);
        SeparabilityVerdict verdict = SeparabilityVerdict.From([], [new LayerInputOverlap("layer", cosine)]);
        Assert.AreEqual(new TaskPair("b", "c", 0.9), verdict.ClosestPairs[0]);
        Assert.IsTrue(verdict.Advice.Any(advice => advice.Contains("b from c", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void OneExpertNeedsNoRouting()
    {
        LabelledMatrix one = new(["a"], ["a"], (_, _) => 1);
        SeparabilityVerdict verdict = SeparabilityVerdict.From([], [new LayerInputOverlap("layer", one)]);
        Assert.AreEqual(Separability.Good, verdict.Level);
        StringAssert.Contains(verdict.Summary, "nothing to route", StringComparison.Ordinal);
        StringAssert.Contains(Recommendation.From(verdict).Headline, "SMILE needs two or more", StringComparison.Ordinal);
    }

    private static LayerInputOverlap[] Inputs(double overlap) => [new LayerInputOverlap("layer", Pair(overlap))];

    private static LayerWeightAnalysis[] Weights(double overlap) =>
    [
        new LayerWeightAnalysis
        {
            Layer = "layer",
            Outputs = 10,
            Inputs = 10,
            Spectra = [],
            RouterOverlap = Pair(overlap),
            LargestCosine = Pair(1),
            DeltaCosine = Pair(0),
            RandomRouterOverlap = 0.1,
        },
    ];

    private static LabelledMatrix Pair(double value) => new(["a", "b"], ["a", "b"], (i, j) => i == j ? 1 : value);
}
