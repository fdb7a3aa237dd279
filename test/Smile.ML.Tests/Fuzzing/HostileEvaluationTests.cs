using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Heads, images and adapters that an evaluation would count wrongly, or pay too much for.</summary>
[TestClass]
public sealed class HostileEvaluationTests
{
    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    public void ImagesWhoseEmbeddingsAreNoNumbersAreNamedAndNotCounted(float value)
    {
        using var folder = new TemporaryFolder();
        using SmileModel model = SmileModel.Load(Path.Combine(TinyModels.WriteClipPool(folder["pool"], 1), "_pretrained_"), new ComputeOptions { Threads = 1 });
        HostTensor images = TestPool.Gaussian(new Random(1), 1, 3, 3, 8, 8);
        images.Floats![2 * 3 * 8 * 8] = value;
        using TaskData data = WriteData(folder, images, [0, 1, 2]);
        SmileException e = Assert.ThrowsExactly<SmileException>(() => Evaluation.Accuracy(model, TinyModels.Head("t", 3, TinyModels.ClipEmbedding), data));
        Assert.Contains("Task t, image 2", e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    [DataRow(-1)]
    [DataRow(-5)]
    [DataRow(3)]
    public void ALabelOutsideOfTheHeadIsNamed(int label)
    {
        using var folder = new TemporaryFolder();
        using SmileModel model = SmileModel.Load(Path.Combine(TinyModels.WriteClipPool(folder["pool"], 1), "_pretrained_"), new ComputeOptions { Threads = 1 });
        using TaskData data = WriteData(folder, TestPool.Gaussian(new Random(1), 1, 3, 3, 8, 8), [0, label, 2]);
        SmileException e = Assert.ThrowsExactly<SmileException>(() => Evaluation.Accuracy(model, TinyModels.Head("t", 3, TinyModels.ClipEmbedding), data));
        Assert.Contains($"image 1: its label is {label}", e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void AnImageLargerThanAnyNetworkTakesIsRefused()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("Writes a file with a hole of four gigabytes.");
        }

        using var folder = new TemporaryFolder();
        byte[] head = SafetensorsBytes.Create("""{"labels":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"images":{"dtype":"U8","shape":[1,1,65536,65536],"data_offsets":[1,4294967297]}}""", [0]);
        string path = folder.Write("t_test.safetensors", head);
        using (FileStream file = File.Open(path, FileMode.Append))
        {
            file.SetLength(head.Length + 4_294_967_296);
        }

        SmileException e = Assert.ThrowsExactly<SmileException>(() => TaskData.Open(path));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains("[1, 1, 65536, 65536]", e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void ALoadedHeadsEmbeddingsAreNormalised()
    {
        using var folder = new TemporaryFolder();
        TensorFile.Write(folder["t.safetensors"], new Dictionary<string, HostTensor>
        {
            ["class_embeds"] = HostTensor.FromFloats([2, 2], [100, 0, 0.3f, 0.4f]),
            ["logit_scale"] = HostTensor.FromFloats([1], [10]),
        });
        var logits = new float[2];
        TaskHead.Load(folder["t.safetensors"]).Score([3, 4], logits);
        Assert.AreEqual(6, logits[0], 1e-5);
        Assert.AreEqual(10, logits[1], 1e-5);
    }

    [TestMethod]
    public void AHeadsErrorNamesItsFileAndShowsNoControlCharacters()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("t.safetensors", SafetensorsBytes.Create(
            """{"__metadata__":{"labels":"[\"\\u001b[2J\\u202e\"]"},"class_embeds":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"logit_scale":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""",
            new byte[12]));
        SmileException e = Assert.ThrowsExactly<SmileException>(() => TaskHead.Load(path));
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
        Assert.Contains("class \uFFFD[2J\uFFFD has norm 0", e.Message, StringComparison.Ordinal);
    }

    [TestMethod]
    public void AdaptersOfManyOrLongPatternsAreRefused()
    {
        using var folder = new TemporaryFolder();
        var many = new JsonObject();
        for (int i = 0; i < 20_000; i++)
        {
            many[$"layers.{i}"] = 2;
        }

        foreach ((string name, JsonObject patterns, string expected) in ((string, JsonObject, string)[])[
            ("many", many, "found 20000 patterns"), ("long", new JsonObject { [new string('a', 20_000)] = 2 }, "characters")])
        {
            string adapter = TestAdapter.Write(folder[name], TestAdapter.Config(("rank_pattern", patterns)), TestAdapter.Factors(new Random(1), "layers.0", 5, 6, 2));
            SmileException e = Assert.ThrowsExactly<SmileException>(() => PeftAdapter.Open(adapter));
            Assert.Contains(adapter, e.Message, StringComparison.Ordinal);
            Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        }
    }

    private static TaskData WriteData(TemporaryFolder folder, HostTensor images, long[] labels)
    {
        TensorFile.Write(folder["t_test.safetensors"], new Dictionary<string, HostTensor> { ["images"] = images, ["labels"] = HostTensor.FromIntegers([labels.Length], labels) });
        return TaskData.Open(folder["t_test.safetensors"]);
    }
}
