using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>The registry: names and parameters as text.</summary>
[TestClass]
public class MergeMethodsTests
{
    [TestMethod]
    public void TextsRoundTrip()
    {
        foreach (MergeMethod method in MergeMethods.All)
        {
            Assert.AreEqual(method.ToString(), MergeMethods.Parse(method.ToString()).ToString());
        }

        Assert.AreEqual(new Ties { Keep = 0.35, Agreeing = AgreeingEntries.Mean, Scale = -1e-3 }, MergeMethods.Parse(" ties  keep=0.35 scale=-1e-3 merge=mean"));
        CollectionAssert.AreEqual(new[] { 1, 0, 2.5 }, ((WeightedAverage)MergeMethods.Parse("weighted-average weights=1,0,2.5")).Weights.ToArray());
    }

    [TestMethod]
    public void NestedMethodsTakeParameters()
    {
        MergeMethod method = MergeMethods.Parse("svc over.over.keep=0.5 over.over=ties alpha=0.2 over.beta=0.1 over=subspace-boosting");
        Assert.AreEqual(
            new SingularValueCalibration { Alpha = 0.2, Over = new SubspaceBoosting { Beta = 0.1, Over = new Ties { Keep = 0.5 } } }, method);
        Assert.AreEqual(method, MergeMethods.Parse(method.ToString()));
    }

    [TestMethod]
    public void DefaultScaleFollowsTheCombination()
    {
        StringAssert.Contains(new Dare().ToString(), "scale=0.3");
        StringAssert.Contains(new Dare { Combine = CombineBy.Average }.ToString(), "scale=1");
        StringAssert.Contains(MergeMethods.Parse("breadcrumbs combine=average scale=0.4").ToString(), "scale=0.4");
    }

    [TestMethod]
    [DataRow("tie", "There is no merge method tie; there are simple-average, weighted-average,")]
    [DataRow("", "There is no merge method ; there are")]
    [DataRow("ties k=3", "ties has no parameter k; it has keep, merge, scale.")]
    [DataRow("simple-average k=3", "simple-average has no parameters; found k.")]
    [DataRow("ties keep=2", "ties: keep is 2; expected a number in (0, 1].")]
    [DataRow("ties keep=0", "ties: keep is 0; expected a number in (0, 1].")]
    [DataRow("ties keep=NaN", "ties: keep is NaN; expected a number in (0, 1].")]
    [DataRow("ties keep=half", "ties: keep is half; expected a number in (0, 1].")]
    [DataRow("ties keep=", "ties: keep is ; expected a number in (0, 1].")]
    [DataRow("ties keep", "Found the parameter keep; expected name=value.")]
    [DataRow("ties merge=max", "ties: merge is max; expected sum|mean.")]
    [DataRow("ties keep=0.1 keep=0.2", "ties: keep is given twice.")]
    [DataRow("task-arithmetic scale=Infinity", "task-arithmetic: scale is Infinity; expected a finite number.")]
    [DataRow("dare drop=1", "dare: drop is 1; expected a number in [0, 1).")]
    [DataRow("dare seed=1.5", "dare: seed is 1.5; expected a whole number.")]
    [DataRow("della density=0.95", "della: density is 0.95 and epsilon 0.1; expected")]
    [DataRow("consensus agreement=0", "consensus: agreement is 0; expected a whole number, 1 or more.")]
    [DataRow("consensus threshold=-1", "consensus: threshold is -1; expected a number in [0, infinity).")]
    [DataRow("weighted-average weights=1,-1", "weighted-average: weights is 1,-1; expected numbers of 0 or more, not all 0, separated by commas.")]
    [DataRow("weighted-average weights=0,0", "weighted-average: weights is 0,0; expected")]
    [DataRow("svc over=nothing", "svc: over is nothing; expected a merge method.")]
    [DataRow("svc over=ties over.keep=3", "svc: over.keep is 3; expected a number in (0, 1].")]
    public void MistakesAreNamed(string text, string message)
        => StringAssert.StartsWith(Assert.ThrowsExactly<SmileException>(() => MergeMethods.Parse(text)).Message, message);
}
