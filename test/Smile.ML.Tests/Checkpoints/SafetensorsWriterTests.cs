using System.Runtime.InteropServices;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class SafetensorsWriterTests
{
    [TestMethod]
    public void LaysBytesOutAsTheFormatSays()
    {
        using var folder = new TemporaryFolder();
        TensorInfo a = new("a", TensorType.F32, [2]);
        TensorInfo b = new("\"é\"", TensorType.BF16, [1, 1]);
        using (var writer = new SafetensorsWriter(folder["x"], SafetensorsWriter.HeaderBound([a, b])))
        {
            writer.WriteFloats(a, [1f, -2.5f]);
            writer.BeginTensor(b);
            writer.Write([0x80]);
            writer.Write([0x3F]);
            writer.Finish();
        }

        const string Header =
            """{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\"é\"":{"dtype":"BF16","shape":[1,1],"data_offsets":[8,10]}}""";
        byte[] written = File.ReadAllBytes(folder["x"]);
        int headerLength = BitConverter.ToInt32(written);

        // The room reserved allows for larger offsets, and for the alignment of the data.
        Assert.AreEqual(0, headerLength % 8);
        Assert.IsLessThan(16, headerLength - Encoding.UTF8.GetByteCount(Header));
        byte[] expected = SafetensorsBytes.Create(
            [.. Encoding.UTF8.GetBytes(Header), .. Enumerable.Repeat((byte)' ', headerLength - Encoding.UTF8.GetByteCount(Header))],
            [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0, 0x80, 0x3F]);
        CollectionAssert.AreEqual(expected, written);
    }

    [TestMethod]
    [DataRow(TensorType.F64)]
    [DataRow(TensorType.F32)]
    [DataRow(TensorType.F16)]
    [DataRow(TensorType.BF16)]
    [DataRow(TensorType.I64)]
    [DataRow(TensorType.I32)]
    [DataRow(TensorType.I16)]
    [DataRow(TensorType.I8)]
    [DataRow(TensorType.U8)]
    public void AnyTensorsOfATypeComeBackBitForBit(TensorType type)
    {
        using var folder = new TemporaryFolder();
        Prop.ForAll<byte[][], string[]>((contents, names) =>
        {
            (string Name, byte[] Content)[] tensors = [.. names
                .Where(name => name is not null && name != "__metadata__" && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(name)) == name)
                .Distinct(StringComparer.Ordinal)
                .Zip(contents, (name, content) => (name, content[..(content.Length / type.Size() * type.Size())]))];
            TensorInfo[] infos = [.. tensors.Select(tensor => new TensorInfo(tensor.Name, type, [1, tensor.Content.Length / type.Size()]))];
            using (var writer = new SafetensorsWriter(folder["x"], SafetensorsWriter.HeaderBound(infos)))
            {
                for (int i = 0; i < infos.Length; i++)
                {
                    writer.BeginTensor(infos[i]);
                    writer.Write(tensors[i].Content);
                }

                writer.Finish();
            }

            using var file = SafetensorsFile.Open(folder["x"]);
            return file.Tensors.Count == infos.Length
                && infos.All(info => file.Tensors[info.Name] == info)
                && tensors.All(tensor => file.ReadBytes(tensor.Name).AsSpan().SequenceEqual(tensor.Content));
        }).QuickCheckThrowOnFailure();
    }

    [TestMethod]
    public void WritesFloatsLargerThanItsBuffer()
    {
        using var folder = new TemporaryFolder();
        float[] values = [.. Enumerable.Range(0, 300_001).Select(i => i / 8f)];
        TensorInfo tensor = new("t", TensorType.F64, [300_001]);
        using (var writer = new SafetensorsWriter(folder["x"], SafetensorsWriter.HeaderBound([tensor])))
        {
            writer.WriteFloats(tensor, values);
            writer.Finish();
        }

        using var file = SafetensorsFile.Open(folder["x"]);
        CollectionAssert.AreEqual(values, file.ReadFloats("t"));
        CollectionAssert.AreEqual(values.Select(value => (double)value).ToArray(), MemoryMarshal.Cast<byte, double>(file.ReadBytes("t")).ToArray());
    }

    [TestMethod]
    [DataRow(TensorType.F16, 65520f)]
    [DataRow(TensorType.BF16, float.MaxValue)]
    public void RefusesAFiniteValueThatTheTypeCannotHold(TensorType type, float value)
    {
        using var folder = new TemporaryFolder();
        float[] values = new float[200_000];
        values[^1] = value;
        TensorInfo tensor = new("layer.weight", type, [values.Length]);
        using var writer = new SafetensorsWriter(folder["x"], SafetensorsWriter.HeaderBound([tensor]));
        var e = Assert.ThrowsExactly<SmileException>(() => writer.WriteFloats(tensor, values));
        Assert.Contains("'layer.weight'", e.Message, StringComparison.Ordinal);
        Assert.Contains("199999", e.Message, StringComparison.Ordinal);
        Assert.Contains(type.DtypeName(), e.Message, StringComparison.Ordinal);
        Assert.ThrowsExactly<InvalidOperationException>(writer.Finish);
    }

    [TestMethod]
    public void RefusesMisuse()
    {
        using var folder = new TemporaryFolder();
        TensorInfo tensor = new("t", TensorType.U8, [2]);
        using var writer = new SafetensorsWriter(folder["x"], SafetensorsWriter.HeaderBound([tensor, tensor]));
        writer.BeginTensor(tensor);
        writer.Write([1]);
        Assert.ThrowsExactly<InvalidOperationException>(writer.Finish);
        Assert.ThrowsExactly<InvalidOperationException>(() => writer.BeginTensor(tensor with { Name = "u" }));
        Assert.ThrowsExactly<InvalidOperationException>(() => writer.Write([1, 2]));
        writer.Write([2]);
        Assert.ThrowsExactly<ArgumentException>(() => writer.BeginTensor(tensor));
        Assert.ThrowsExactly<InvalidOperationException>(() => writer.BeginTensor(tensor with { Name = "a name too long for the room reserved" }));
        Assert.ThrowsExactly<ArgumentException>(() => writer.WriteFloats(new TensorInfo("f", TensorType.F32, [2]), [1f]));
        writer.Finish();
    }

    [TestMethod]
    public void ReportsAFullDisk()
    {
        const string FullDevice = "/dev/full";
        if (!File.Exists(FullDevice))
        {
            Assert.Inconclusive($"There is no {FullDevice} here.");
        }

        TensorInfo tensor = new("t", TensorType.F32, [2]);
        using var writer = new SafetensorsWriter(FullDevice, SafetensorsWriter.HeaderBound([tensor]));
        var e = Assert.ThrowsExactly<SmileException>(() => writer.WriteFloats(tensor, [1f, 2f]));
        Assert.Contains(FullDevice, e.Message, StringComparison.Ordinal);
    }
}
