using System.Text.Json.Nodes;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

[TestClass]
public sealed class ModelPoolTests
{
    [TestMethod]
    public void AModelOfThePoolIsNeverOverwrittenWhicheverWayItIsReached()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("Symbolic links need a privilege.");
        }

        using var folder = new TemporaryFolder();
        string real = TestPool.WriteMlp(folder, 2, [6, 8, 5]), link = folder["link"], hop = folder["hop"];
        Directory.CreateSymbolicLink(hop, real);
        Directory.CreateSymbolicLink(link, hop);
        byte[] before = File.ReadAllBytes(Path.Combine(real, "_pretrained_", "model.safetensors"));
        foreach ((string opened, string written) in new[] { (link, real), (real, link), (hop, link) })
        {
            using ModelPool pool = ModelPool.Open(opened);
            foreach (string model in new[] { Path.Combine(written, "_pretrained_"), Path.Combine(written, "b"), written })
            {
                SmileException e = Assert.ThrowsExactly<SmileException>(() => new SmileFusion().Fuse(pool, model, overwrite: true));
                Assert.Contains(model, e.Message, StringComparison.Ordinal);
                Assert.ThrowsExactly<SmileException>(() => new SimpleAverage().Merge(pool, model, overwrite: true));
            }
        }

        CollectionAssert.AreEqual(before, File.ReadAllBytes(Path.Combine(real, "_pretrained_", "model.safetensors")));
    }

    [TestMethod]
    [DataRow("", "no expert was selected")]
    [DataRow("a,b,a", "a was selected twice")]
    [DataRow("a,z", "there is no expert z; found a, b, c")]
    public void ASelectionIsOfExpertsThatAreThere(string names, string expected)
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [6, 8, 5]));
        SmileException e = Assert.ThrowsExactly<SmileException>(() => pool.Select(names.Split(',', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow("num_attention_heads", "4", true)]
    [DataRow("layer_norm_eps", "1e-6", false)]
    [DataRow("hidden_act", "\"gelu\"", true)]
    [DataRow("rope_scaling", "{\"type\":\"linear\",\"factor\":2.0,\"rope_type\":\"linear\"}", false)]
    [DataRow("attention_dropout", "0.5", false)]
    [DataRow("id2label", "{\"0\":\"x\"}", false)]
    public void AnExpertWhoseConfigComputesDifferentlyIsRefused(string key, string value, bool isRefused)
    {
        using var folder = new TemporaryFolder();
        string path = TestPool.WriteClip(folder, 2), config = Path.Combine(path, "b", "config.json");
        JsonObject json = JsonNode.Parse(File.ReadAllText(config))!.AsObject();
        json["rope_scaling"] = JsonNode.Parse("""{"type":"linear","factor":2}""");
        File.WriteAllText(Path.Combine(path, "_pretrained_", "config.json"), json.ToJsonString());
        json[key] = JsonNode.Parse(value);
        File.WriteAllText(config, json.ToJsonString());
        using ModelPool pool = ModelPool.Open(path);
        if (isRefused)
        {
            SmileException e = Assert.ThrowsExactly<SmileException>(() => pool.Check());
            Assert.Contains($"Expert b ({Path.Combine(path, "b")}): its config.json has {key} {value}; expected ", e.Message, StringComparison.Ordinal);
        }
        else
        {
            pool.Check();
        }
    }

    [TestMethod]
    public void APoolDisposedTooEarlyIsNamed()
    {
        using var folder = new TemporaryFolder();
        ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 2, [6, 8, 5])), selection = pool.Select("a").Select("a");
        pool.Dispose();
        foreach (ModelPool disposed in new[] { pool, selection })
        {
            ObjectDisposedException e = Assert.ThrowsExactly<ObjectDisposedException>(() => new SmileFusion().Fuse(disposed, folder["fused"]));
            Assert.AreEqual(typeof(ModelPool).FullName, e.ObjectName);
            Assert.ThrowsExactly<ObjectDisposedException>(() => new SimpleAverage().Merge(disposed, folder["merged"]));
        }
    }

    [TestMethod]
    public void ASelectionLeavesThePoolOpen()
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 3, [6, 8, 5]));
        ModelPool selection = pool.Select("c", "a");
        CollectionAssert.AreEqual(new[] { "c", "a" }, selection.Experts.Select(expert => expert.Name).ToArray());
        selection.Dispose();
        new SmileFusion(new SmileFusionOptions { ExpertRank = 2, RouterRank = 1 }).Fuse(pool, folder["fused"]);
    }
}
