using System.Text;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class ModelConfigTests
{
    private static readonly ModelConfig Config = ModelConfig.Parse(
        """
        {
          "model_type": "clip", "layers": 12, "eps": 1e-05, "theta": 10000, "huge": 1e999, "many": 3000000000, "half": 0.5,
          "bias": true, "nothing": null, "sizes": [1, 2, 3], "names": ["q", "v"], "mixed": [1, "a"],
          "vision_config": { "hidden_size": 768, "act": 3 }
        }
        """,
        "here/config.json");

    [TestMethod]
    public void ReadsTypedValues()
    {
        Assert.AreEqual("clip", Config.ModelType);
        Assert.AreEqual(12, Config.GetInt32("layers", minimum: 1, maximum: 12));
        Assert.AreEqual(1e-5, Config.GetDouble("eps"));
        Assert.AreEqual(10000, Config.GetDouble("theta"));
        Assert.IsTrue(Config.GetBoolean("bias"));
        CollectionAssert.AreEqual(new[] { 1, 2, 3 }, Config.GetInt32List("sizes").ToArray());
        CollectionAssert.AreEqual(new[] { "q", "v" }, Config.GetStringList("names").ToArray());
        Assert.AreEqual(768, Config.GetSection("vision_config").GetInt32("hidden_size"));
    }

    [TestMethod]
    public void NullCountsAsAbsent()
    {
        Assert.IsFalse(Config.Has("nothing"));
        Assert.IsFalse(Config.Has("missing"));
        Assert.IsTrue(Config.IsNull("nothing"));
        Assert.IsFalse(Config.IsNull("missing"));
        Assert.IsFalse(Config.IsNull("sizes"));
        Assert.IsTrue(Config.Has("sizes"));
        Assert.AreEqual(7, Config.GetInt32("nothing", 7));
        Assert.AreEqual(0.5, Config.GetDouble("nothing", 0.5));
        Assert.AreEqual("gelu", Config.GetString("missing", "gelu"));
        Assert.IsTrue(Config.GetBoolean("missing", true));
        Assert.IsEmpty(Config.GetInt32List("missing", []));
        AssertFails(() => Config.GetInt32("nothing"), "here/config.json", "'nothing'", "missing");
        AssertFails(() => Config.GetSection("missing"), "here/config.json", "'missing'", "missing");
    }

    [TestMethod]
    public void RefusesOtherTypesAndRanges()
    {
        AssertFails(() => Config.GetInt32("layers", minimum: 13), "here/config.json", "'layers'", "12", "at least 13");
        AssertFails(() => Config.GetInt32("layers", maximum: 8), "'layers'", "12", "at most 8");
        AssertFails(() => Config.GetInt32("many"), "'many'", "3000000000", "integer");
        AssertFails(() => Config.GetInt32("half"), "'half'", "0.5", "integer");
        AssertFails(() => Config.GetInt32("model_type", 3), "'model_type'", "\"clip\"", "integer");
        AssertFails(() => Config.GetDouble("huge"), "'huge'", "1e999", "finite");
        AssertFails(() => Config.GetDouble("bias"), "'bias'", "true", "number");
        AssertFails(() => Config.GetDouble("eps", minimum: 0.001), "'eps'", "1e-05", "at least 0.001");
        AssertFails(() => Config.GetString("layers"), "'layers'", "12", "string");
        AssertFails(() => Config.GetBoolean("layers"), "'layers'", "12", "true or false");
        AssertFails(() => Config.GetInt32List("mixed"), "'mixed'", "\"a\"", "integer");
        AssertFails(() => Config.GetInt32List("sizes", minimum: 2), "'sizes'", "found 1", "at least 2");
        AssertFails(() => Config.GetStringList("layers"), "'layers'", "12", "list of strings");
        AssertFails(() => Config.GetSection("layers"), "'layers'", "12", "object");
        AssertFails(() => Config.GetSection("vision_config").GetString("act"), "here/config.json: vision_config", "'act'", "3");
    }

    [TestMethod]
    [DataRow("[1]", "object")]
    [DataRow("{\"a\": NaN}", "JSON")]
    [DataRow("{\"a\": -Infinity}", "JSON")]
    [DataRow("{\"a\": 1, \"a\": 2}", "JSON")]
    [DataRow("{\"a\": 1", "JSON")]
    [DataRow("{\"a\": 1} x", "JSON")]
    [DataRow("{\"\\ud800\": 1}", "")]
    public void RefusesWhatIsNotOneObject(string json, string problem)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("config.json", json);
        try
        {
            // An odd key alone is no reason to refuse a file, but it may not surface as another exception either.
            Assert.AreEqual(1, ModelConfig.Load(path).GetInt32("absent", 1));
            Assert.IsEmpty(problem);
        }
        catch (SmileException e)
        {
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        }
    }

    [TestMethod]
    public void RefusesDeepInvalidLargeAndMissingFiles()
    {
        using var folder = new TemporaryFolder();
        string deep = folder.Write("deep.json", "{\"a\":" + new string('[', 100_000));
        AssertFails(() => ModelConfig.Load(deep), deep, "depth");
        string invalid = folder.Write("invalid.json", [.. "{\"a\":\""u8, 0xFF, .. "\"}"u8]);
        AssertFails(() => ModelConfig.Load(invalid), invalid, "UTF-8");
        AssertFails(() => ModelConfig.Load(folder["none.json"]), folder["none.json"], "no such file");
        AssertFails(() => ModelConfig.Load(folder.Write("empty.json", "")), folder["empty.json"], "empty");

        using (FileStream large = File.Create(folder["large.json"]))
        {
            large.SetLength((16 << 20) + 1);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        AssertFails(() => ModelConfig.Load(folder["large.json"]), folder["large.json"], "16777216");
        Assert.IsLessThan(1_000_000L, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void AcceptsAByteOrderMark()
    {
        using var folder = new TemporaryFolder();
        Assert.AreEqual("t5", ModelConfig.Load(folder.Write("config.json", [0xEF, 0xBB, 0xBF, .. "{\"model_type\":\"t5\"}"u8])).ModelType);
    }

    [TestMethod]
    public void WritesChangesInPlaceAndKeepsTheRest()
    {
        var config = ModelConfig.Parse("""{"model_type":"t5","eps":1e-06,"token":"<s>é","inner":{"b":1,"a":[]}}""", "config.json");
        ModelConfig changed = config.With(new Dictionary<string, JsonNode?>
        {
            ["rank_of_router"] = 4,
            ["model_type"] = "smile_t5",
            ["none"] = null,
        });

        Assert.AreEqual(
            "{\n  \"model_type\": \"smile_t5\",\n  \"eps\": 1e-06,\n  \"token\": \"<s>é\",\n  \"inner\": {\n    \"b\": 1,\n    \"a\": []\n  },\n"
            + "  \"rank_of_router\": 4,\n  \"none\": null\n}\n",
            changed.ToJson());
        Assert.AreEqual("smile_t5", changed.ModelType);
        Assert.AreEqual("t5", config.ModelType);
        Assert.AreEqual(changed.ToJson(), ModelConfig.Parse(changed.ToJson(), "config.json").ToJson());
    }

    private static void AssertFails(Action action, params string[] expected)
    {
        var e = Assert.ThrowsExactly<SmileException>(action);
        foreach (string text in expected)
        {
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
        }
    }
}
