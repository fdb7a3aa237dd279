using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class TensorFileTests
{
    [TestMethod]
    public void WhatIsWrittenReadsBack()
    {
        using var folder = new TemporaryFolder();
        Prop.ForAll<int[], long[]>((bits, integers) =>
        {
            float[] floats = [.. bits.Select(value => BitConverter.Int32BitsToSingle(value * -1640531527))];
            TensorFile.Write(folder["x.safetensors"], new Dictionary<string, HostTensor>
            {
                ["floats"] = HostTensor.FromFloats([floats.Length, 1], floats),
                ["integers"] = HostTensor.FromIntegers([1, integers.Length], integers),
            });
            Dictionary<string, HostTensor> read = TensorFile.Read(folder["x.safetensors"]);
            return read.Count == 2
                && read["floats"].Floats!.Select(BitConverter.SingleToInt32Bits).SequenceEqual(floats.Select(BitConverter.SingleToInt32Bits))
                && read["floats"].Shape.SequenceEqual([floats.Length, 1])
                && read["integers"].Integers!.SequenceEqual(integers)
                && read["integers"].Type == TensorType.I64
                && folder.Names().Length == 1;
        }).QuickCheckThrowOnFailure();
    }

    [TestMethod]
    public void AFailureLeavesTheFormerFileIntact()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["folder"]);
        var tensors = new Dictionary<string, HostTensor> { ["t"] = HostTensor.FromIntegers([], [3]) };
        var e = Assert.ThrowsExactly<SmileException>(() => TensorFile.Write(folder["folder"], tensors));
        Assert.Contains(folder["folder"], e.Message, StringComparison.Ordinal);
        CollectionAssert.AreEqual(new[] { "folder" }, folder.Names());

        folder.Write("file", "former");
        tensors.Add("__metadata__", HostTensor.FromIntegers([], [3]));
        Assert.ThrowsExactly<ArgumentException>(() => TensorFile.Write(folder["file"], tensors));
        Assert.AreEqual("former", File.ReadAllText(folder["file"]));
        CollectionAssert.AreEqual(new[] { "file", "folder" }, folder.Names());
    }

    [TestMethod]
    public void ReadsGoldenInputs()
    {
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Golden.PathOf("t5", "expected", "inputs.safetensors"));
        Assert.AreEqual(TensorType.I64, inputs["input_ids"].Type);
        CollectionAssert.AreEqual(new[] { 2L, 20 }, inputs["input_ids"].Shape.ToArray());
        Assert.IsTrue(inputs["attention_mask"].Integers!.All(value => value is 0 or 1));
    }

    [TestMethod]
    public void RefusesAShapeOfAnotherSize()
    {
        Assert.ThrowsExactly<ArgumentException>(() => HostTensor.FromFloats([2, 2], new float[3]));
        Assert.ThrowsExactly<ArgumentException>(() => HostTensor.FromIntegers([-1, -3], new long[3]));
    }
}
