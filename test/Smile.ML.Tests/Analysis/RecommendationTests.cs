using Smile.ML.Analysis;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class RecommendationTests
{
    private static readonly SeparabilityVerdict Good = SeparabilityVerdict.From(
        [], [new LayerInputOverlap("layer", new LabelledMatrix(["a", "b"], ["a", "b"], (i, j) => i == j ? 1 : 0.1))]);

    [TestMethod]
    public void TheSmallestSettingThatIsAsGoodIsRecommended()
    {
        Recommendation choice = Recommendation.From(
            Good, Result("fine-tuned", 90, 800), [Result("average", 60, 100)], [Point(64, 89.9, 500), Point(16, 89.5, 200), Point(4, 80, 120)]);
        Assert.AreEqual(16, choice.Setting!.ExpertRank);
        StringAssert.StartsWith(choice.Headline, "Use SMILE with experts of rank 16", StringComparison.Ordinal);
        Assert.IsTrue(choice.Reasons.Any(reason => reason.Contains("99.4% of what they reach", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void AMergeThatIsAsGoodIsRecommended()
    {
        Recommendation choice = Recommendation.From(
            Good, Result("fine-tuned", 90, 800), [Result("average", 60, 100), Result("ties", 70, 100)], [Point(64, 70.3, 500)]);
        Assert.IsNull(choice.Setting);
        StringAssert.Contains(choice.Headline, "ties reaches 70.0%", StringComparison.Ordinal);
    }

    [TestMethod]
    public void WhereMostIsLostItSaysSo()
    {
        Recommendation choice = Recommendation.From(
            Good, Result("fine-tuned", 90, 800), [Result("average", 60, 100)], [Point(64, 70, 500)]);
        StringAssert.Contains(choice.Headline, "SMILE gains 10.0 points over the best merge, less than half", StringComparison.Ordinal);
        Assert.AreEqual(64, choice.Setting!.ExpertRank);
    }

    private static MethodResult Result(string name, double accuracy, long parameters) => new(name, new Dictionary<string, double> { ["a"] = accuracy }, parameters);

    private static SweepPoint Point(int rank, double accuracy, long parameters)
    {
        var setting = new SmileSetting(rank, 16, 1);
        return new SweepPoint(setting, Result(setting.ToString(), accuracy, parameters));
    }
}
