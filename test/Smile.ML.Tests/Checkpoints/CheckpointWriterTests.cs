using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class CheckpointWriterTests
{
    private static readonly ModelConfig Config = ModelConfig.Parse("""{"model_type":"mlp"}""", "test");

    private static readonly TensorInfo[] Planned =
    [
        new("a", TensorType.F32, [4]), new("b", TensorType.BF16, [2, 2]), new("c", TensorType.F32, [4]), new("d", TensorType.F64, []),
    ];

    [TestMethod]
    public void WritesOneFileThatReadsBack()
    {
        using var folder = new TemporaryFolder();
        Write(folder["out"]);

        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        CollectionAssert.AreEqual(
            new[] { "config.json", "merges.txt", "model.safetensors" },
            Directory.GetFiles(folder["out"]).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).ToArray());
        CollectionAssert.AreEqual("a b"u8.ToArray(), File.ReadAllBytes(folder["out/merges.txt"]));
        AssertModel(folder["out"]);
    }

    [TestMethod]
    public void WritesShardsThatReadBack()
    {
        using var folder = new TemporaryFolder();
        Write(folder["out"], maxShardBytes: 24);

        CollectionAssert.AreEqual(
            new[] { "config.json", "merges.txt", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json" },
            Directory.GetFiles(folder["out"]).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal).ToArray());
        JsonNode index = JsonNode.Parse(File.ReadAllText(folder["out/model.safetensors.index.json"]))!;
        Assert.AreEqual(16 + 8 + 16 + 8, (int)index["metadata"]!["total_size"]!);
        Assert.AreEqual("model-00001-of-00002.safetensors", (string)index["weight_map"]!["b"]!);
        Assert.AreEqual("model-00002-of-00002.safetensors", (string)index["weight_map"]!["c"]!);
        AssertModel(folder["out"]);
    }

    [TestMethod]
    public void TensorsThatWerePlannedSmallerOrNotAtAllStillFit()
    {
        using var folder = new TemporaryFolder();
        using (var writer = CheckpointWriter.Create(folder["out"], []))
        {
            writer.WriteTensor("a", TensorType.F32, [4], [1f, 2f, 3f, 4f]);
            writer.WriteTensor("empty", TensorType.F32, [0], []);
            writer.WriteTensor(new string('n', 1000), TensorType.F32, [1], [5f]);
            writer.SetConfig(Config);
            writer.Commit();
        }

        using var model = HuggingFaceFolder.Open(folder["out"]);
        Assert.HasCount(3, model.Tensors);
        CollectionAssert.AreEqual(new[] { 1f, 2, 3, 4 }, model.ReadFloats("a"));
        CollectionAssert.AreEqual(new[] { 5f }, model.ReadFloats(new string('n', 1000)));
    }

    [TestMethod]
    public void CopiesTensorsUnderNewNames()
    {
        using var folder = new TemporaryFolder();
        byte[] content = new byte[700_000];
        new Random(1).NextBytes(content);
        using var source = SafetensorsFile.Open(folder.Write(
            "source", SafetensorsBytes.Create("""{"t":{"dtype":"I16","shape":[350000],"data_offsets":[0,700000]}}""", content)));
        TensorInfo renamed = source.Tensors["t"] with { Name = "shared.t" };
        using (var writer = CheckpointWriter.Create(folder["out"], [renamed]))
        {
            writer.WriteRaw(renamed, source, "t");
            writer.SetConfig(Config);
            writer.Commit();
        }

        using var model = HuggingFaceFolder.Open(folder["out"]);
        Assert.AreEqual(renamed, model.Tensors.Values.Single());
        CollectionAssert.AreEqual(content, model.ReadBytes("shared.t"));
    }

    [TestMethod]
    [DataRow(TensorType.BF16, TensorType.F32)]
    [DataRow(TensorType.F32, TensorType.F16)]
    [DataRow(TensorType.F16, TensorType.BF16)]
    public void ConvertsATensorOfManyChunksLikeItsValues(TensorType from, TensorType to)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(1);
        float[] values = [.. Enumerable.Range(0, 300_001).Select(_ => random.NextSingle() - 0.5f)];
        using (var writer = CheckpointWriter.Create(folder["source"], []))
        {
            writer.WriteTensor("t", from, [values.Length], values);
            writer.SetConfig(Config);
            writer.Commit();
        }

        using var source = HuggingFaceFolder.Open(folder["source"]);
        using (var writer = CheckpointWriter.Create(folder["out"], []))
        {
            writer.SetConfig(Config);
            Assert.ThrowsExactly<SmileException>(() => writer.WriteConverted(new TensorInfo("short", to, [1]), source, "t"));
            Assert.ThrowsExactly<InvalidOperationException>(writer.Commit);
        }

        Assert.IsFalse(Directory.Exists(folder["out"]));
        using (var writer = CheckpointWriter.Create(folder["out"], []))
        {
            writer.WriteConverted(new TensorInfo("converted", to, [values.Length]), source, "t");
            writer.WriteTensor("at once", to, [values.Length], source.ReadFloats("t"));
            writer.SetConfig(Config);
            writer.Commit();
        }

        using var model = HuggingFaceFolder.Open(folder["out"]);
        Assert.AreEqual(to, model.Tensors["converted"].Type);
        CollectionAssert.AreEqual(model.ReadBytes("at once"), model.ReadBytes("converted"));
    }

    [TestMethod]
    public void RefusesToCopyWhatIsNotAsExpectedAndThenToCommit()
    {
        using var folder = new TemporaryFolder();
        using var source = SafetensorsFile.Open(folder.Write(
            "source", SafetensorsBytes.Create("""{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [1])));
        using var writer = CheckpointWriter.Create(folder["out"], []);
        writer.SetConfig(Config);
        var e = Assert.ThrowsExactly<SmileException>(() => writer.WriteRaw(new TensorInfo("t", TensorType.U8, [1, 1]), source));
        Assert.Contains("'t'", e.Message, StringComparison.Ordinal);
        Assert.Contains("U8 [1, 1]", e.Message, StringComparison.Ordinal);
        Assert.ThrowsExactly<InvalidOperationException>(writer.Commit);
    }

    [TestMethod]
    public void DisposingWithoutCommitLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using (CheckpointWriter writer = Begin(folder["out"], overwrite: false))
        {
            string[] names = folder.Names();
            Assert.HasCount(2, names);
            Assert.IsTrue(names.All(name => name.StartsWith(".out.smile-", StringComparison.Ordinal)), string.Join(' ', names));
        }

        Assert.IsEmpty(folder.Names());
    }

    [TestMethod]
    public void RefusesAnExistingOutputUnlessAskedToOverwrite()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        Write(folder["out"]);
        AssertModel(folder["out"]);

        var e = Assert.ThrowsExactly<SmileException>(() => CheckpointWriter.Create(folder["out"], Planned));
        Assert.Contains(folder["out"], e.Message, StringComparison.Ordinal);
        Assert.Contains("not empty", e.Message, StringComparison.Ordinal);
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());

        string file = folder.Write("file", "x");
        e = Assert.ThrowsExactly<SmileException>(() => CheckpointWriter.Create(file, Planned, overwrite: true));
        Assert.Contains(file, e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void OverwritingKeepsTheFormerOutputUntilCommit()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        folder.Write("out/former", "former");
        using (CheckpointWriter writer = Begin(folder["out"], overwrite: true))
        {
            Assert.IsTrue(File.Exists(folder["out/former"]));
            writer.WriteTensor("d", TensorType.F64, [], [7f]);
            writer.SetConfig(Config);
            writer.Commit();
        }

        Assert.IsFalse(File.Exists(folder["out/former"]));
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        AssertModel(folder["out"]);
    }

    [TestMethod]
    public void AFailureMidwayLeavesTheFormerOutputIntact()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        folder.Write("out/former", "former");

        using (CheckpointWriter writer = Begin(folder["out"], overwrite: true))
        {
            var e = Assert.ThrowsExactly<SmileException>(() => writer.WriteTensor("d", TensorType.F16, [], [1e6f]));
            Assert.StartsWith($"{folder["out"]}: tensor 'd'", e.Message, StringComparison.Ordinal);
            writer.SetConfig(Config);
            Assert.ThrowsExactly<InvalidOperationException>(writer.Commit);
        }

        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        Assert.AreEqual("former", File.ReadAllText(folder["out/former"]));

        using (CheckpointWriter writer = Begin(folder["out"], overwrite: true))
        {
            // Commit fails when it comes to the configuration, with the weights complete.
            writer.WriteFile("config.json", "{}"u8);
            writer.SetConfig(Config);
            Assert.ThrowsExactly<SmileException>(writer.Commit);
        }

        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        Assert.AreEqual("former", File.ReadAllText(folder["out/former"]));
    }

    [TestMethod]
    public void AFailedRenamePutsTheFormerOutputBack()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["out"]);
        folder.Write("out/former", "former");
        using (var output = StagedOutput.Create(folder["out"]))
        {
            // Nothing was made at the temporary path, so the second rename fails.
            var e = Assert.ThrowsExactly<SmileException>(() => output.PublishFolder(overwrite: true));
            Assert.Contains(folder["out"], e.Message, StringComparison.Ordinal);
        }

        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        Assert.AreEqual("former", File.ReadAllText(folder["out/former"]));
    }

    [TestMethod]
    public void RemovesWhatDeadRunsLeftButNotWhatALiveRunHas()
    {
        using var folder = new TemporaryFolder();
        folder.Write(".out.smile-0123456789abcdef.lock", "");
        Directory.CreateDirectory(folder[".out.smile-0123456789abcdef.tmp"]);
        folder.Write(".out.smile-0123456789abcdef.tmp/shard-00001", "half");
        folder.Write(".out.smile-00000000000000ff.tmp", "half a file");
        string[] others = [".out.smile-0123.tmp", ".other.smile-0123456789abcdef.tmp", "out.smile-0123456789abcdef.tmp"];
        foreach (string other in others)
        {
            folder.Write(other, "not ours");
        }

        using (CheckpointWriter live = Begin(folder["out"], overwrite: false))
        {
            string[] names = folder.Names();
            Assert.HasCount(2 + others.Length, names);
            CollectionAssert.IsSubsetOf(others, names);

            Write(folder["out"]);
            CollectionAssert.AreEquivalent(names.Append("out").ToArray(), folder.Names());

            // The live run is not disturbed, but the output has come into being meanwhile.
            live.WriteTensor("d", TensorType.F64, [], [8f]);
            live.SetConfig(Config);
            var e = Assert.ThrowsExactly<SmileException>(live.Commit);
            Assert.Contains("not empty", e.Message, StringComparison.Ordinal);
        }

        CollectionAssert.AreEquivalent(others.Append("out").ToArray(), folder.Names());
        AssertModel(folder["out"]);
    }

    [TestMethod]
    public void RestoresTheFormerOutputOfARunThatDiedWhileRenaming()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder[".out.smile-0123456789abcdef.old"]);
        folder.Write(".out.smile-0123456789abcdef.old/former", "former");
        folder.Write(".out.smile-0123456789abcdef.lock", "");

        var e = Assert.ThrowsExactly<SmileException>(() => CheckpointWriter.Create(folder["out"], Planned));
        Assert.Contains("not empty", e.Message, StringComparison.Ordinal);
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        Assert.AreEqual("former", File.ReadAllText(folder["out/former"]));

        Directory.CreateDirectory(folder[".out.smile-0123456789abcdef.old"]);
        Write(folder["out"], overwrite: true);
        CollectionAssert.AreEqual(new[] { "out" }, folder.Names());
        AssertModel(folder["out"]);
    }

    [TestMethod]
    public void CreatesParentsAndReportsAPlaceThatIsNotWritable()
    {
        using var folder = new TemporaryFolder();
        Write(folder["new/parents/out"] + Path.DirectorySeparatorChar);
        AssertModel(folder["new/parents/out"]);

        string file = folder.Write("file", "x");
        string inside = Path.Combine(file, "out");
        var e = Assert.ThrowsExactly<SmileException>(() => CheckpointWriter.Create(inside, Planned));
        Assert.Contains(inside, e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void RefusesMisuse()
    {
        using var folder = new TemporaryFolder();
        using CheckpointWriter writer = Begin(folder["out"], overwrite: false);
        Assert.ThrowsExactly<ArgumentException>(() => writer.WriteTensor("a", TensorType.F32, [4], new float[4]));
        Assert.ThrowsExactly<ArgumentException>(() => writer.WriteFile("../x", []));
        Assert.ThrowsExactly<ArgumentException>(() => writer.WriteFile("..", []));
        Assert.ThrowsExactly<InvalidOperationException>(writer.Commit);
        writer.SetConfig(Config);
        writer.Commit();
        Assert.ThrowsExactly<InvalidOperationException>(writer.Commit);
        Assert.ThrowsExactly<InvalidOperationException>(() => writer.WriteFile("x", []));
    }

    private static void Write(string path, bool overwrite = false, long maxShardBytes = CheckpointWriter.DefaultMaxShardBytes)
    {
        using CheckpointWriter writer = Begin(path, overwrite, maxShardBytes);
        writer.WriteTensor("d", TensorType.F64, [], [7f]);
        writer.WriteFile("merges.txt", "a b"u8);
        writer.SetConfig(Config);
        writer.Commit();
    }

    private static CheckpointWriter Begin(string path, bool overwrite, long maxShardBytes = CheckpointWriter.DefaultMaxShardBytes)
    {
        var writer = CheckpointWriter.Create(path, Planned, overwrite, maxShardBytes);
        writer.WriteTensor("a", TensorType.F32, [4], [1f, 2f, 3f, 4f]);
        writer.WriteTensor("b", TensorType.BF16, [2, 2], [1f, -1f, 0.5f, 0f]);
        writer.WriteTensor("c", TensorType.F32, [4], [float.NaN, float.NegativeInfinity, -0f, float.Epsilon]);
        return writer;
    }

    private static void AssertModel(string path)
    {
        using var model = HuggingFaceFolder.Open(path);
        Assert.AreEqual("mlp", model.Config.ModelType);
        CollectionAssert.AreEquivalent(Planned, model.Tensors.Values.ToArray());
        CollectionAssert.AreEqual(new[] { 1f, 2, 3, 4 }, model.ReadFloats("a"));
        CollectionAssert.AreEqual(new[] { 1f, -1, 0.5f, 0 }, model.ReadFloats("b"));
        CollectionAssert.AreEqual(
            new[] { 0xFFC00000, 0xFF800000, 0x80000000, 1u }, model.ReadFloats("c").Select(BitConverter.SingleToUInt32Bits).ToArray());
        CollectionAssert.AreEqual(new[] { 7f }, model.ReadFloats("d"));
    }
}
