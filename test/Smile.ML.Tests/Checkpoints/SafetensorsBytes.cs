using System.Buffers.Binary;
using System.Text;

namespace Smile.ML.Tests.Checkpoints;

/// <summary>Safetensors files put together by hand.</summary>
internal static class SafetensorsBytes
{
    public static byte[] Create(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        return [.. length, .. header, .. data];
    }

    public static byte[] Create(string header, ReadOnlySpan<byte> data) => Create(Encoding.UTF8.GetBytes(header), data);
}
