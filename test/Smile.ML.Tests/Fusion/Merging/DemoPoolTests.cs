using System.Text.Json;
using Smile.ML.Analysis;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>Accuracies on the demo pool against those that its training script found with its own merging code.</summary>
[TestClass]
public class DemoPoolTests
{
    [TestMethod]
    [DataRow("simple-average", "simple average")]
    [DataRow("task-arithmetic scale=0.5", "task arithmetic lambda=0.5")]
    [DataRow("ties keep=0.2 merge=mean scale=0.7", "ties keep=20% mean lambda=0.7")]
    public void AccuraciesAreThoseOfTheTrainingScript(string method, string name)
    {
        string folder = DemoPool();
        using JsonDocument results = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "results.json")));
        JsonElement expected = results.RootElement.GetProperty("methods").GetProperty(name);
        using ModelPool pool = ModelPool.Open(folder);
        using PoolEvaluation evaluation = PoolEvaluation.Open(pool, Path.Combine(folder, "heads"), Path.Combine(folder, "data"));

        // One image of 120 is 0.83 points: all but equal scores must decide alike.
        MethodResult result = evaluation.Merged(MergeMethods.Parse(method));
        foreach (string task in evaluation.Tasks)
        {
            Assert.AreEqual(expected.GetProperty(task).GetDouble(), result.Accuracy[task], 0.84, task);
        }

        Assert.AreEqual(expected.GetProperty("avg").GetDouble(), result.Average, 0.3);
    }

    private static string DemoPool()
    {
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Smile.ML.sln")))
        {
            root = root.Parent;
        }

        Assert.IsNotNull(root, "the tests run outside the repository");
        return Path.Combine(root.FullName, "examples", "demo-pool");
    }
}
