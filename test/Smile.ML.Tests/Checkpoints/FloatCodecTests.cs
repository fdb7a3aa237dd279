using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Checkpoints;

[TestClass]
public sealed class FloatCodecTests
{
    [TestMethod]
    public void WidensEveryHalf()
    {
        // An odd number at the end leaves a remainder behind the vectors.
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i), 0x0001, 0xFC01, 0x7BFF];
        float[] widened = Decode(TensorType.F16, [.. bits.SelectMany(BitConverter.GetBytes)], bits.Length);
        for (int i = 0; i < bits.Length; i++)
        {
            Half half = BitConverter.UInt16BitsToHalf(bits[i]);
            uint expected = Half.IsNaN(half)
                ? ((bits[i] & 0x8000u) << 16) | 0x7F800000 | ((bits[i] & 0x3FFu) << 13)
                : BitConverter.SingleToUInt32Bits((float)half);
            Assert.AreEqual(expected, BitConverter.SingleToUInt32Bits(widened[i]), $"0x{bits[i]:X4}");
        }
    }

    [TestMethod]
    public void WidensEveryBFloat16()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i), 0x7F81, 0x0001, 0x8000];
        float[] widened = Decode(TensorType.BF16, [.. bits.SelectMany(BitConverter.GetBytes)], bits.Length);
        for (int i = 0; i < bits.Length; i++)
        {
            Assert.AreEqual((uint)bits[i] << 16, BitConverter.SingleToUInt32Bits(widened[i]), $"0x{bits[i]:X4}");
        }
    }

    [TestMethod]
    public void RoundsDoublesToTheNearestFloat()
        => Prop.ForAll<double[]>(values =>
            Decode(TensorType.F64, [.. values.SelectMany(BitConverter.GetBytes)], values.Length)
                .Select(BitConverter.SingleToUInt32Bits)
                .SequenceEqual(values.Select(value => BitConverter.SingleToUInt32Bits((float)value))))
            .QuickCheckThrowOnFailure();

    [TestMethod]
    [DataRow(TensorType.F64)]
    [DataRow(TensorType.F32)]
    [DataRow(TensorType.F16)]
    [DataRow(TensorType.BF16)]
    public void EncodingUndoesDecoding(TensorType type)
    {
        // Any float32 bit pattern that the type can hold: made by cutting off the bits that it cannot.
        uint mask = type switch { TensorType.F16 => 0xFFFFE000, TensorType.BF16 => 0xFFFF0000, _ => 0xFFFFFFFF };
        Prop.ForAll<uint[]>(bits =>
        {
            float[] values = [.. bits
                .Select(value => BitConverter.UInt32BitsToSingle((value * 2654435761u) & mask))
                .Where(value => !float.IsNaN(value) && (type != TensorType.F16 || value == (float)(Half)value))];
            byte[] stored = new byte[values.Length * type.Size()];
            int overflow = FloatCodec.Encode(values, type, stored);
            return overflow == -1
                && Decode(type, stored, values.Length).AsSpan().SequenceEqual(values);
        }).QuickCheckThrowOnFailure();
    }

    [TestMethod]
    [DataRow(1.00390625f, 0x3F80, DisplayName = "tie to even, down")]
    [DataRow(1.01171875f, 0x3F82, DisplayName = "tie to even, up")]
    [DataRow(1.0039064f, 0x3F81, DisplayName = "just above a tie")]
    [DataRow(-1.0039064f, 0xBF81, DisplayName = "negative")]
    [DataRow(float.Epsilon, 0x0000, DisplayName = "subnormal to 0")]
    [DataRow(float.PositiveInfinity, 0x7F80, DisplayName = "infinity")]
    [DataRow(float.NegativeInfinity, 0xFF80, DisplayName = "-infinity")]
    public void RoundsToBFloat16(float value, int expected)
    {
        byte[] stored = new byte[2];
        Assert.AreEqual(-1, FloatCodec.Encode([value], TensorType.BF16, stored));
        Assert.AreEqual((ushort)expected, BitConverter.ToUInt16(stored));
    }

    [TestMethod]
    [DataRow(TensorType.F16)]
    [DataRow(TensorType.BF16)]
    [DataRow(TensorType.F64)]
    public void NaNStaysNaN(TensorType type)
    {
        // The first has all its set bits where 16-bit types cut them off.
        float[] values = [BitConverter.UInt32BitsToSingle(0x7F800001), BitConverter.UInt32BitsToSingle(0xFFFFFFFF), float.NaN];
        byte[] stored = new byte[values.Length * type.Size()];
        Assert.AreEqual(-1, FloatCodec.Encode(values, type, stored));
        Assert.IsTrue(Decode(type, stored, values.Length).All(float.IsNaN));
    }

    [TestMethod]
    public void ReportsTheFirstFiniteValueThatIsTooLarge()
    {
        byte[] stored = new byte[8];
        Assert.AreEqual(-1, FloatCodec.Encode([65504f, 65519.996f, -65504f, float.PositiveInfinity], TensorType.F16, stored));
        Assert.AreEqual(1, FloatCodec.Encode([float.PositiveInfinity, 65520f, -1e9f, 0f], TensorType.F16, stored));
        Assert.AreEqual(2, FloatCodec.Encode([3.3895314e38f, float.NaN, -float.MaxValue, 0f], TensorType.BF16, stored));
    }

    [TestMethod]
    public void RoundsAsTheGoldenCheckpointsWereRounded()
    {
        AssertRounded(Golden.PathOf("clip", "_pretrained_"), Golden.PathOf("clip", "_pretrained_f16"), TensorType.F16);
        AssertRounded(Golden.PathOf("mistral", "_pretrained_"), Golden.PathOf("mistral", "_pretrained_bf16"), TensorType.BF16);
    }

    private static void AssertRounded(string full, string rounded, TensorType type)
    {
        using var source = SafetensorsFile.Open(Path.Combine(full, "model.safetensors"));
        using var target = SafetensorsFile.Open(Path.Combine(rounded, "model.safetensors"));
        TensorInfo[] tensors = [.. target.Tensors.Values.Where(tensor => tensor.Type == type)];
        Assert.IsNotEmpty(tensors);
        foreach (TensorInfo tensor in tensors)
        {
            byte[] stored = new byte[tensor.ByteLength];
            Assert.AreEqual(-1, FloatCodec.Encode(source.ReadFloats(tensor.Name), type, stored));
            CollectionAssert.AreEqual(target.ReadBytes(tensor.Name), stored, tensor.Name);
        }
    }

    private static float[] Decode(TensorType type, byte[] stored, int count)
    {
        float[] values = new float[count];
        FloatCodec.Decode(type, stored, values);
        return values;
    }
}
