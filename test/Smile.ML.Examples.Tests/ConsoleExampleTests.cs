using System.Globalization;
using System.Text.RegularExpressions;

namespace Smile.ML.Examples.Tests;

[TestClass]
public sealed partial class ConsoleExampleTests
{
    [TestMethod]
    public async Task QuickStartPredictsDigits()
    {
        string[] lines = (await ExampleProcess.RunAsync("QuickStart")).Trim().Split('\n');
        Assert.HasCount(10, lines);

        // The pool's fused model is right in 90% of the images of this task.
        int right = lines.Select(line => Digit().Match(line)).Count(digit => digit.Success && digit.Groups[1].Value == digit.Groups[2].Value);
        Assert.IsGreaterThanOrEqualTo(8, right, string.Join('\n', lines));
    }

    [TestMethod]
    public async Task TextClassificationKeepsWhatTheModelsKnow()
    {
        string output = await ExampleProcess.RunAsync("TextClassification");
        StringAssert.Contains(output, "Fused mood and topic: 10 routed layers");
        MatchCollection tasks = Accuracies().Matches(output);
        Assert.HasCount(2, tasks);
        foreach (Match task in tasks)
        {
            double alone = double.Parse(task.Groups[1].Value, CultureInfo.InvariantCulture), fused = double.Parse(task.Groups[2].Value, CultureInfo.InvariantCulture);
            Assert.IsGreaterThan(60, alone, output);
            Assert.IsGreaterThan(alone - 10, fused, output);
        }
    }

    [GeneratedRegex(@"digit (\d): predicted (\d)")]
    private static partial Regex Digit();

    [GeneratedRegex(@"own model ([\d.]+)%, fused model ([\d.]+)%")]
    private static partial Regex Accuracies();
}
