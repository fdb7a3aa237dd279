using System.Xml.Linq;
using Smile.ML.Analysis;
using Smile.ML.Analysis.Html;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class SmileReportTests
{
    [TestMethod]
    public void ThePageHoldsEverythingAndNeedsNothing()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(PoolSweepTests.EvaluationPool(folder));
        SmileReport report = SmileReport.Create(pool, Options(folder, threads: 2));
        string page = report.ToHtml();
        foreach (string wanted in report.Methods.Select(method => $"{method.Average:F1}").Concat([report.Recommendation.Headline, "Accuracy by size", "Where tokens go", "simple-average", "II+III", "How errors accumulate"]))
        {
            StringAssert.Contains(page, wanted, StringComparison.Ordinal);
        }

        foreach (string unwanted in new[] { "http:", "https:", "<script", "src=", "url(", "@import", "NaN", "\u221E" })
        {
            Assert.IsFalse(page.Contains(unwanted, StringComparison.OrdinalIgnoreCase), unwanted);
        }

        XElement html = Parse(page);
        Assert.AreEqual(report.Methods.Count, html.Descendants("table").Single(table => (string?)table.Attribute("class") == "figures").Element("tbody")!.Elements("tr").Count());

        // Two by three ranks and one per-token setting more; the report's own setting and the dense one are among the methods.
        Assert.AreEqual(6 + 1, report.RankSweep.Count);
        Assert.AreEqual(2, report.ExpertsPerTokenSweep.Count);
        Assert.AreEqual(13, report.Routing!.Layers.Count);
        Assert.AreEqual(13, report.ScoreCorrelations.Count);
        Assert.AreEqual(2, report.Errors!.Smile.Count);
        Assert.IsTrue(report.Methods.Any(method => method.Method == report.Setting.ToString()));
    }

    [TestMethod]
    public void ThreadsDoNotChangeAByte()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(PoolSweepTests.EvaluationPool(folder));
        Assert.AreEqual(
            SmileReport.Create(pool, Options(folder, threads: 1)).ToHtml(), SmileReport.Create(pool, Options(folder, threads: 2)).ToHtml());
    }

    [TestMethod]
    public void WithoutDataThePageHoldsWhatTheWeightsSay()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [12, 20, 9]));
        SmileReport report = SmileReport.Create(pool);
        string page = report.ToHtml();
        Parse(page);
        StringAssert.Contains(page, "nothing was run", StringComparison.Ordinal);
        StringAssert.Contains(page, "Router directions", StringComparison.Ordinal);
        Assert.IsFalse(page.Contains("Accuracy by size", StringComparison.Ordinal));
        Assert.IsNull(report.Routing);
        Assert.AreEqual(0, report.Methods.Count);
    }

    [TestMethod]
    public void AnExpertWithoutDataIsAnError()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(PoolSweepTests.EvaluationPool(folder));
        File.Delete(Path.Combine(folder["data"], "b_test.safetensors"));
        SmileException error = Assert.ThrowsExactly<SmileException>(() => SmileReport.Create(pool, Options(folder, threads: 1)));
        StringAssert.Contains(error.Message, "b_test.safetensors", StringComparison.Ordinal);
    }

    [TestMethod]
    public void NamesAreEscaped()
    {
        LabelledMatrix matrix = new(["<b>&\"'"], ["<script>"], (_, _) => -0.4);
        XElement figure = XElement.Parse(MatrixTable.Render(matrix, "a < b").ToString());
        Assert.AreEqual("<b>&\"'", figure.Descendants("th").Last().Value);
        Assert.AreEqual("<script>", figure.Descendants("span").Single().Value);
        Assert.AreEqual("\u2212.40", figure.Descendants("td").Single().Value);
        Assert.AreEqual("<i>1.5&lt;</i>", HtmlFragment.Of($"<i>{1.5}{"<"}</i>").ToString());
    }

    [TestMethod]
    public void LayerNamesBecomeShortUnlessThatMakesThemTheSame()
    {
        CollectionAssert.AreEqual(
            new[] { "0 q_proj", "11 fc1", "visual_projection", "layers 0" },
            LayerNames.Shorten(["encoder.layers.0.self_attn.q_proj", "encoder.layers.11.mlp.fc1", "visual_projection", "layers.0"]).ToArray());
        string[] same = ["encoder.block.0.q", "decoder.block.0.q"];
        CollectionAssert.AreEqual(same, LayerNames.Shorten(same).ToArray());
    }

    [TestMethod]
    public void NotebooksFindTheFormatter()
    {
        // What .NET Interactive looks for by name.
        object attribute = typeof(SmileReport).GetCustomAttributes(inherit: false).Single(found => found.GetType().Name == "TypeFormatterSourceAttribute");
        var type = (Type)attribute.GetType().GetProperty("FormatterSourceType")!.GetValue(attribute)!;
        object source = Activator.CreateInstance(type)!;
        object formatter = ((IEnumerable<object>)type.GetMethod("CreateTypeFormatters")!.Invoke(source, [])!).Single();
        Assert.AreEqual("text/html", formatter.GetType().GetProperty("MimeType")!.GetValue(formatter));

        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 5]));
        using var writer = new StringWriter();
        Assert.AreEqual(true, formatter.GetType().GetMethod("Format")!.Invoke(formatter, [SmileReport.Create(pool), writer]));
        StringAssert.StartsWith(writer.ToString(), "<iframe", StringComparison.Ordinal);
        Assert.AreEqual(false, formatter.GetType().GetMethod("Format")!.Invoke(formatter, ["something else", writer]));
    }

    private static SmileReportOptions Options(TemporaryFolder folder, int threads) => new()
    {
        HeadsFolder = folder["heads"],
        DataFolder = folder["data"],
        Setting = new SmileSetting(4, 3, 1),
        ExpertRanks = [2, 4],
        RouterRanks = [1, 2],
        ExpertsPerToken = [1, 2, 4],
        Merges = [new SimpleAverage()],
        Compute = new ComputeOptions { Threads = threads },
    };

    private static XElement Parse(string page)
    {
        StringAssert.StartsWith(page, "<!DOCTYPE html>", StringComparison.Ordinal);
        return XElement.Parse(page["<!DOCTYPE html>".Length..]);
    }
}
