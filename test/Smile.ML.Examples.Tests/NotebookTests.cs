using System.Reflection;
using System.Xml.Linq;
using Smile.ML.Analysis;
using Smile.ML.Fusion;

namespace Smile.ML.Examples.Tests;

/// <summary>Every cell of every notebook compiles, runs and gives what its text promises.</summary>
[TestClass]
public sealed class NotebookTests
{
    [TestMethod]
    public async Task FirstFusion()
    {
        object?[] values = await RunAsync("first-fusion.ipynb");
        Assert.AreEqual("checker, diagonal, dots, ink, plain, stripes, tiled, upside", values[2]);
        XElement report = Html((FusionReport)values[3]!);
        StringAssert.Contains(report.Value, "checker, diagonal, dots, ink, plain, stripes, tiled, upside");
        var comparison = (MethodComparison)values[4]!;
        Assert.IsGreaterThan(0.98 * comparison[1].Average, comparison[3].Average, "SMILE keeps what the fine-tuned models know");
        XElement html = Html(comparison);
        Assert.HasCount(1 + comparison.Count, html.Element("table")!.Descendants("tr"));
        Assert.HasCount(comparison.Count, html.Descendants(XName.Get("rect", "http://www.w3.org/2000/svg")));
        StringAssert.StartsWith((string)values[5]!, "a ");
    }

    [TestMethod]
    public async Task ChoosingRanks()
    {
        object?[] values = await RunAsync("choosing-ranks.ipynb");
        var fineTuned = (MethodResult)values[1]!;
        Html(fineTuned);
        var truncation = (MethodComparison)values[2]!;
        Assert.IsGreaterThan(truncation[0].Average, truncation[3].Average);
        var routing = (MethodComparison)values[3]!;
        Assert.IsGreaterThan(routing[0].Average, routing[2].Average);
        Assert.IsGreaterThan(fineTuned.Average - 5, ((MethodResult)values[4]!).Average);
        Assert.HasCount(2, (MethodComparison)values[5]!);
    }

    [TestMethod]
    public async Task LookingAtRouting()
    {
        object?[] values = await RunAsync("looking-at-routing.ipynb");
        var checker = (RoutingShares)values[3]!;
        foreach (string layer in checker.Layers)
        {
            Assert.AreEqual(1, checker[layer].Sum(), 1e-12);
        }

        Assert.IsGreaterThan(0.5, checker.ShareOf("checker"));
        XElement map = Html(checker);
        Assert.HasCount(checker.Layers.Count * checker.Experts.Count, map.Elements(XName.Get("rect", "http://www.w3.org/2000/svg")));
        Assert.HasCount(8, ((string)values[4]!).Split('\n'));
        Assert.HasCount(3, ((string)values[5]!).Split('\n'));
    }

    [TestMethod]
    public void EveryNotebookIsTested()
    {
        string[] notebooks = [.. Directory.GetFiles(Folder, "*.ipynb").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        CollectionAssert.AreEqual(new[] { "choosing-ranks.ipynb", "first-fusion.ipynb", "looking-at-routing.ipynb" }, notebooks);
    }

    private static string Folder => Repository.PathOf("examples", "notebooks");

    private static async Task<object?[]> RunAsync(string notebook)
    {
        // Notebooks run in their own folder.
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = Folder;
        try
        {
            var runner = new NotebookRunner();
            var values = new List<object?>();
            foreach (string cell in NotebookRunner.ReadCells(notebook))
            {
                values.Add(await runner.RunAsync(cell));
            }

            return [.. values];
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }

    /// <summary>Shows a value as .NET Interactive does: all that it knows are names, of an attribute, its properties and two methods.</summary>
    private static XElement Html(object value)
    {
        object attribute = value.GetType().GetCustomAttributes(inherit: true).Single(attribute => attribute.GetType().Name == "TypeFormatterSourceAttribute");
        CollectionAssert.AreEqual(new[] { "text/html" }, (string[])Property(attribute, "PreferredMimeTypes"));
        object source = Activator.CreateInstance((Type)Property(attribute, "FormatterSourceType"))!;
        object formatter = ((IEnumerable<object>)source.GetType().GetMethod("CreateTypeFormatters")!.Invoke(source, null)!).Single();
        Assert.AreEqual("text/html", Property(formatter, "MimeType"));
        MethodInfo format = formatter.GetType().GetMethod("Format", [typeof(object), typeof(TextWriter)])!;
        using var writer = new StringWriter();
        Assert.AreEqual(true, format.Invoke(formatter, [value, writer]));
        Assert.AreEqual(false, format.Invoke(formatter, ["another's", writer]));
        return XElement.Parse(writer.ToString());

        static object Property(object instance, string name) => instance.GetType().GetProperty(name)!.GetValue(instance)!;
    }
}
