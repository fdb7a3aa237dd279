using System.Buffers.Binary;
using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Safetensors files; what is read is compared with what a plain JSON parser finds in the header.</summary>
internal sealed class TensorFileTarget : FuzzTarget
{
    private readonly TensorFileMutator _mutator;

    public TensorFileTarget()
    {
        string path = Files["intact"];
        TensorFile.Write(path, new Dictionary<string, HostTensor>
        {
            ["layers.0.weight"] = HostTensor.FromFloats([3, 4], [.. Enumerable.Range(0, 12).Select(i => i * 0.5f)]),
            ["layers.0.bias"] = HostTensor.FromFloats([3], [1, 2, 3]),
            ["ids"] = HostTensor.FromIntegers([2, 2], [1, 2, 3, 4]),
            ["scalar"] = HostTensor.FromFloats([], [7]),
        });
        _mutator = new TensorFileMutator(path);
    }

    public override void Execute(Random random)
    {
        byte[] content = _mutator.Create(random);
        string path = Files.Write("x.safetensors", content);
        using var file = SafetensorsFile.Open(path);
        int headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(content);
        ReadOnlySpan<byte> data = content.AsSpan(sizeof(long) + headerLength);
        using JsonDocument header = JsonDocument.Parse(content.AsMemory(sizeof(long), headerLength));
        long covered = 0;
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            JsonElement entry = header.RootElement.GetProperty(tensor.Name);
            int begin = entry.GetProperty("data_offsets")[0].GetInt32(), end = entry.GetProperty("data_offsets")[1].GetInt32();
            Assert.IsTrue(data[begin..end].SequenceEqual(file.ReadBytes(tensor.Name)), tensor.Name);
            Assert.AreEqual(tensor.ByteLength, end - begin);
            covered += end - begin;
            if (tensor.Type.IsFloatingPoint())
            {
                Assert.HasCount((int)tensor.ElementCount, file.ReadFloats(tensor.Name));
            }
            else
            {
                Assert.HasCount((int)tensor.ElementCount, file.ReadIntegers(tensor.Name));
            }
        }

        Assert.AreEqual(data.Length, covered);
    }
}
