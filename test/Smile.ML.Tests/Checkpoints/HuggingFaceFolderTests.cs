using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class HuggingFaceFolderTests
{
    [TestMethod]
    public void ShardsHoldWhatTheSingleFileHolds()
    {
        using var single = HuggingFaceFolder.Open(Golden.PathOf("t5", "_pretrained_"));
        using var sharded = HuggingFaceFolder.Open(Golden.PathOf("t5", "_pretrained_sharded_"));

        Assert.AreEqual("t5", sharded.Config.ModelType);
        Assert.IsNotEmpty(single.Tensors);
        CollectionAssert.AreEquivalent(single.Tensors.Values.ToArray(), sharded.Tensors.Values.ToArray());
        foreach (string name in single.Tensors.Keys)
        {
            CollectionAssert.AreEqual(single.ReadBytes(name), sharded.ReadBytes(name), name);
            CollectionAssert.AreEqual(single.ReadFloats(name), sharded.ReadFloats(name), name);
        }
    }

    [TestMethod]
    public void OldNamesOfNormsGiveWayToThePresentOnes()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", "{}");
        var tensors = new Dictionary<string, HostTensor>
        {
            ["bert.LayerNorm.gamma"] = HostTensor.FromFloats([2], [1, 2]),
            ["bert.LayerNorm.beta"] = HostTensor.FromFloats([2], [3, 4]),
            ["gamma"] = HostTensor.FromFloats([1], [5]),
        };
        TensorFile.Write(folder["model.safetensors"], tensors);
        using (var opened = HuggingFaceFolder.Open(folder.Path))
        {
            CollectionAssert.AreEquivalent(new[] { "bert.LayerNorm.weight", "bert.LayerNorm.bias", "gamma" }, opened.Tensors.Keys.ToArray());
            Assert.AreEqual("bert.LayerNorm.bias", opened.Tensors["bert.LayerNorm.bias"].Name);
            CollectionAssert.AreEqual(new float[] { 3, 4 }, opened.ReadFloats("bert.LayerNorm.bias"));
        }

        tensors["bert.LayerNorm.weight"] = tensors["bert.LayerNorm.gamma"];
        TensorFile.Write(folder["model.safetensors"], tensors);
        AssertFails(folder, "'bert.LayerNorm.gamma'", "both stand for 'bert.LayerNorm.weight'");
    }

    [TestMethod]
    public void RefusesAFolderWithoutWeights()
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", "{}");
        AssertFails(folder, "model.safetensors", "model.safetensors.index.json");

        folder.Write("pytorch_model.bin", "PK");
        AssertFails(folder, "model.safetensors.index.json", "pytorch_model.bin", "only safetensors is read; nothing is unpickled");

        Directory.CreateDirectory(folder["snapshots"]);
        AssertFails(folder, "found no weights", "download cache", "folders of snapshots");

        folder.Write("adapter_config.json", "{}");
        AssertFails(folder, "found no weights", "is an adapter; expected a whole model");
    }

    [TestMethod]
    public void RefusesAFolderWithSingleFileAndIndex()
    {
        using var folder = Sharded("""{"t":"model-00001-of-00001.safetensors"}""");
        folder.Write("model.safetensors", Tensor("t"));
        AssertFails(folder, "both", "model.safetensors", "model.safetensors.index.json");
    }

    [TestMethod]
    public void RefusesAFolderWithoutConfig()
    {
        using var folder = new TemporaryFolder();
        folder.Write("model.safetensors", Tensor("t"));
        AssertFails(folder, folder["config.json"], "no such file");
    }

    [TestMethod]
    public void RefusesAMissingFolderAndAFile()
    {
        using var folder = new TemporaryFolder();
        string missing = folder["missing"];
        Assert.Contains(missing, Assert.ThrowsExactly<SmileException>(() => HuggingFaceFolder.Open(missing)).Message, StringComparison.Ordinal);
        string file = folder.Write("file", "x");
        Assert.Contains("folder", Assert.ThrowsExactly<SmileException>(() => HuggingFaceFolder.Open(file)).Message, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow("""{"t":"model-00001-of-00001.safetensors","u":"model-00002-of-00002.safetensors"}""", new[] { "model-00002-of-00002.safetensors", "missing" })]
    [DataRow("""{"t":"model-00001-of-00001.safetensors","u":"model-00001-of-00001.safetensors"}""", new[] { "model-00001-of-00001.safetensors", "'u'" })]
    [DataRow("""{"t":"model-00001-of-00001.safetensors","t":"model-00001-of-00001.safetensors"}""", new[] { "index.json", "JSON" })]
    [DataRow("""{"t":"../model-00001-of-00001.safetensors"}""", new[] { "index.json", "'../model-00001-of-00001.safetensors'" })]
    [DataRow("""{"t":"/etc/passwd"}""", new[] { "index.json", "'/etc/passwd'" })]
    [DataRow("""{"t":"C:\\x.safetensors"}""", new[] { "index.json", "'C:\\x.safetensors'" })]
    [DataRow("""{"t":".."}""", new[] { "index.json", "'..'" })]
    [DataRow("""{"t":""}""", new[] { "index.json", "''" })]
    [DataRow("""{"t":"a\u0000b"}""", new[] { "index.json" })]
    [DataRow("""{"t":1}""", new[] { "index.json", "'t'", "found 1" })]
    [DataRow("""{"t":"\ud800"}""", new[] { "index.json" })]
    [DataRow("""[]""", new[] { "index.json", "weight_map" })]
    public void RefusesAnIndexThatIsWrong(string weightMap, string[] expected)
    {
        using var folder = Sharded(weightMap);
        AssertFails(folder, expected);
    }

    [TestMethod]
    public void TheIndexDecidesWhichShardATensorComesFrom()
    {
        using var folder = Sharded("""{"t":"b.safetensors"}""");
        folder.Write("b.safetensors", Tensor("t", 42));
        using var model = HuggingFaceFolder.Open(folder.Path);
        CollectionAssert.AreEqual(new[] { 42L }, model.ReadIntegers("t"));
    }

    [TestMethod]
    public void RefusesLinksOutOfTheFolderExceptIntoTheDownloadCache()
    {
        using var folder = new TemporaryFolder();
        string revision = Directory.CreateDirectory(folder["models--a--b/snapshots/0123"]).FullName;
        Directory.CreateDirectory(folder["models--a--b/blobs"]);
        folder.Write("models--a--b/blobs/1", "{}");
        folder.Write("models--a--b/blobs/2", Tensor("t"));
        folder.Write("elsewhere", Tensor("t"));
        try
        {
            File.CreateSymbolicLink(Path.Combine(revision, "config.json"), "../../blobs/1");
        }
        catch (IOException)
        {
            Assert.Inconclusive("Symbolic links cannot be made here.");
        }

        string weights = Path.Combine(revision, "model.safetensors");
        File.CreateSymbolicLink(weights, "../../blobs/2");
        using (var model = HuggingFaceFolder.Open(revision))
        {
            Assert.IsTrue(model.Tensors.ContainsKey("t"));
        }

        File.Delete(weights);
        File.CreateSymbolicLink(weights, "../../../elsewhere");
        var e = Assert.ThrowsExactly<SmileException>(() => HuggingFaceFolder.Open(revision));
        Assert.Contains(weights, e.Message, StringComparison.Ordinal);
        Assert.Contains("link", e.Message, StringComparison.Ordinal);

        File.Delete(weights);
        File.CreateSymbolicLink(weights, weights);
        e = Assert.ThrowsExactly<SmileException>(() => HuggingFaceFolder.Open(revision));
        Assert.Contains(weights, e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void FollowsALinkToTheFolder()
    {
        using var folder = new TemporaryFolder();
        string real = Directory.CreateDirectory(folder["real"]).FullName;
        folder.Write("real/config.json", "{}");
        folder.Write("real/model.safetensors", Tensor("t"));
        try
        {
            Directory.CreateSymbolicLink(folder["link"], real);
        }
        catch (IOException)
        {
            Assert.Inconclusive("Symbolic links cannot be made here.");
        }

        using var model = HuggingFaceFolder.Open(folder["link"]);
        Assert.IsTrue(model.Tensors.ContainsKey("t"));
        using var withSeparator = HuggingFaceFolder.Open(real + Path.DirectorySeparatorChar);
        Assert.IsTrue(withSeparator.Tensors.ContainsKey("t"));
    }

    [TestMethod]
    public void DisposingClosesAllShards()
    {
        using var folder = Sharded("""{"t":"model-00001-of-00001.safetensors"}""");
        var model = HuggingFaceFolder.Open(folder.Path);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.ReadIntegers("t"));
    }

    private static TemporaryFolder Sharded(string weightMap)
    {
        var folder = new TemporaryFolder();
        folder.Write("config.json", "{}");
        folder.Write("model-00001-of-00001.safetensors", Tensor("t"));
        folder.Write("model.safetensors.index.json", $$"""{"metadata":{"total_size":1},"weight_map":{{weightMap}}}""");
        return folder;
    }

    private static byte[] Tensor(string name, byte value = 1)
        => SafetensorsBytes.Create($$$"""{"{{{name}}}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [value]);

    private static void AssertFails(TemporaryFolder folder, params string[] expected)
    {
        var e = Assert.ThrowsExactly<SmileException>(() => HuggingFaceFolder.Open(folder.Path));
        foreach (string text in expected.Append(folder.Path))
        {
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
        }
    }
}
