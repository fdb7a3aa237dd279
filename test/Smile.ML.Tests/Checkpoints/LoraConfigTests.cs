using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Checkpoints;

/// <summary>Which module an adapter's configuration means, as PEFT reads it.</summary>
[TestClass]
public sealed class LoraConfigTests
{
    private const string Module = "model.layers.3.self_attn.q_proj";

    [TestMethod]
    [DataRow("""["q_proj"]""", true)]
    [DataRow("""["proj"]""", false)]
    [DataRow("""["self_attn.q_proj", "x"]""", true)]
    [DataRow("""["model.layers.3.self_attn.q_proj"]""", true)]
    [DataRow("""["q_.*"]""", false)]
    [DataRow("\"q_proj\"", false)]
    [DataRow("\".*q_proj\"", true)]
    [DataRow("\".*q_pro\"", false)]
    [DataRow("""".*layers\\.\\d+\\.self_attn\\.(q|v)_proj"""", true)]
    [DataRow("\"a|.*q_proj\"", true)]
    [DataRow("\"all-linear\"", true)]
    [DataRow("null", true)]
    public void TargetsAreNamesTheirEndsOrOnePattern(string targets, bool expected)
        => Assert.AreEqual(expected, Load(("target_modules", JsonNode.Parse(targets.StartsWith('.') ? $"\"{targets}\"" : targets))).Targets(Module));

    [TestMethod]
    public void TheFirstMatchingPatternGivesRankAndAlpha()
    {
        LoraConfig config = Load(
            ("r", 8),
            ("lora_alpha", 16),
            ("rank_pattern", new JsonObject { ["proj"] = 1, ["^model.layers.3.*q_proj"] = 4, ["q_proj"] = 2 }),
            ("alpha_pattern", new JsonObject { [@"layers\.\d.self_attn.[qk]_proj"] = 32 }));
        Assert.AreEqual(4, config.Rank(Module));
        Assert.AreEqual(8.0, config.Scale(Module));
        Assert.AreEqual(2, config.Rank("model.layers.4.self_attn.q_proj"));
        Assert.AreEqual(16.0, config.Scale("model.layers.4.self_attn.q_proj"));
        Assert.AreEqual(8, config.Rank("model.layers.4.self_attn.xq_proj"));
        Assert.AreEqual(2.0, config.Scale("lm_head"));
    }

    [TestMethod]
    public void ARankStabilisedScaleFallsWithTheRoot()
        => Assert.AreEqual(4.0, Load(("r", 16), ("lora_alpha", 16), ("use_rslora", true)).Scale(Module));

    [TestMethod]
    public void APatternThatNeverEndsIsRefused()
    {
        LoraConfig config = Load(("target_modules", "(((a|a)+)+)+b"));
        StringAssert.Contains(Assert.ThrowsExactly<SmileException>(() => config.Targets(new string('a', 60))).Message, "takes too long");
    }

    private static LoraConfig Load(params (string Key, JsonNode? Value)[] changes)
    {
        using var folder = new TemporaryFolder();
        return LoraConfig.Load(folder.Write("adapter_config.json", TestAdapter.Config(changes).ToJsonString()));
    }
}
