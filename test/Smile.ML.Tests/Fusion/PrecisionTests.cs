using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion;

[TestClass]
public sealed class PrecisionTests
{
    /// <summary>
    /// Rounding to a type whose significand has p bits is off by at most 2^-p of a value. Every value of the model is rounded and, one
    /// layer on the other, the errors add up as random ones do: less than four roundings of the largest output.
    /// </summary>
    [TestMethod]
    [DataRow(StoredPrecision.BF16, 8)]
    [DataRow(StoredPrecision.F16, 11)]
    public void AModelStoredIn16BitsRunsLikeTheOneInFloat32(StoredPrecision precision, int bits)
    {
        using var folder = new TemporaryFolder();
        using ModelPool pool = ModelPool.Open(TestPool.WriteMlp(folder, 1, [40, 50, 30]));
        new SmileFusion(new SmileFusionOptions { Precision = StoredPrecision.F32, ExpertRank = 3 }).Fuse(pool, folder["f32"]);
        new SmileFusion(new SmileFusionOptions { Precision = precision, ExpertRank = 3 }).Fuse(pool, folder["16"]);
        float[] expected = Run(folder["f32"]), actual = Run(folder["16"]);
        double off = expected.Zip(actual, (x, y) => Math.Abs((double)x - y)).Max() / expected.Max(Math.Abs);
        Assert.IsTrue(off <= 4 * Math.Pow(2, -bits), $"off by {off:E2}");
        Assert.IsTrue(off > 0.01 * Math.Pow(2, -bits), "nothing was rounded");

        using HuggingFaceFolder wide = HuggingFaceFolder.Open(folder["f32"]), narrow = HuggingFaceFolder.Open(folder["16"]);
        Assert.AreEqual(precision == StoredPrecision.BF16 ? "bfloat16" : "float16", narrow.Config.GetString("torch_dtype"));
        Assert.IsTrue(narrow.Tensors.Values.All(tensor => tensor.Type.Size() == 2));
        Assert.AreEqual(wide.Tensors.Values.Sum(tensor => tensor.ElementCount), narrow.Tensors.Values.Sum(tensor => tensor.ElementCount));
    }

    [TestMethod]
    public void DeltasOf16BitModelsAreExactAndCopiesKeepTheirType()
    {
        // 1 + 2^-7 and 1 are neighbours in bfloat16; their difference is exact in float32 and must come out so.
        using var folder = new TemporaryFolder();
        Write(folder["_pretrained_"], [1, 0, 0, 1]);
        Write(folder["a"], [1 + 0.0078125f, 0, 0, 1]);
        using ModelPool pool = ModelPool.Open(folder["_pretrained_"], [KeyValuePair.Create("a", folder["a"])]);
        new SmileFusion().Fuse(pool, folder["fused"]);
        using HuggingFaceFolder fused = HuggingFaceFolder.Open(folder["fused"]);
        Assert.AreEqual(TensorType.BF16, fused.Tensors["layers.0.shared_linear.weight"].Type);
        Assert.AreEqual(TensorType.F32, fused.Tensors["layers.0.experts.0.u"].Type);
        Assert.AreEqual(TensorType.F32, fused.Tensors["layers.0.gate.weight"].Type);
        CollectionAssert.AreEqual(new[] { 0.0078125f, 0 }, fused.ReadFloats("layers.0.experts.0.svh"));
    }

    [TestMethod]
    public void WhatFloat16CannotHoldIsNamedAndNothingIsWritten()
    {
        using var folder = new TemporaryFolder();
        string path = TestPool.WriteMlp(folder, 1, [6, 8, 5]);
        TestPool.Edit(Path.Combine(path, "_pretrained_"), tensors => tensors["layers.1.weight"].Floats![7] = 1e6f);
        TestPool.Edit(Path.Combine(path, "a"), tensors => tensors["layers.1.weight"].Floats![7] = 1e6f);
        using ModelPool pool = ModelPool.Open(path);
        new SmileFusion(new SmileFusionOptions { Precision = StoredPrecision.BF16 }).Fuse(pool, folder["wide"]);
        SmileException exception = Assert.ThrowsExactly<SmileException>(
            () => new SmileFusion(new SmileFusionOptions { Precision = StoredPrecision.F16 }).Fuse(pool, folder["fused"]));
        StringAssert.Contains(exception.Message, "'layers.1.shared_linear.weight': element 7 is 1000000, which F16 cannot hold");
        CollectionAssert.AreEqual(new[] { "pool", "wide" }, folder.Names());
    }

    private static void Write(string folder, float[] weight)
    {
        using CheckpointWriter writer = CheckpointWriter.Create(folder, []);
        writer.WriteTensor("layers.0.weight", TensorType.BF16, [2, 2], weight);
        writer.SetConfig(ModelConfig.Parse("""{"model_type":"mlp"}""", folder));
        writer.Commit();
    }

    private static float[] Run(string folder)
    {
        using SmileModel model = SmileModel.Load(folder);
        var inputs = new Dictionary<string, HostTensor> { ["x"] = TestPool.Gaussian(new Random(1), 1, 10, model.Inputs[0].Shape[0]) };
        return model.Run(inputs)["output"].Floats!;
    }
}
