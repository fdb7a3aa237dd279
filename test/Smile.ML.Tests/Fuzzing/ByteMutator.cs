using System.Buffers.Binary;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Damages bytes without knowing what they mean.</summary>
internal static class ByteMutator
{
    private static readonly byte[] Interesting = [.. "0123456789-.eE\"\\[]{},:/ "u8, 0, 1, 0x7F, 0x80, 0xC3, 0xED, 0xFF];

    private static readonly long[] Lengths =
        [0, 1, 2, 7, 8, 99_999_999, 100_000_000, 100_000_001, int.MaxValue, uint.MaxValue, long.MaxValue, long.MinValue, -1];

    public static byte[] Mutate(Random random, byte[] bytes)
    {
        byte[] result = bytes;
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            result = MutateOnce(random, result);
        }

        return result;
    }

    private static byte[] MutateOnce(Random random, byte[] bytes)
    {
        int at = random.Next(bytes.Length + 1);
        int length = Math.Min(random.Next(1, 32), bytes.Length - at);
        byte[] changed = [.. bytes];
        switch (random.Next(7))
        {
            case 0 when at < bytes.Length:
                changed[at] ^= (byte)(1 << random.Next(8));
                return changed;
            case 1 when at < bytes.Length:
                changed[at] = Interesting[random.Next(Interesting.Length)];
                return changed;
            case 2:
                return bytes[..at];
            case 3:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 4:
                return [.. bytes[..at], .. bytes.AsSpan(random.Next(bytes.Length + 1 - length), length), .. bytes[at..]];
            case 5 when bytes.Length >= sizeof(long):
                // The header's length, often; else 8 bytes anywhere.
                int place = random.Next(2) == 0 ? 0 : random.Next(bytes.Length - sizeof(long) + 1);
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(place), Lengths[random.Next(Lengths.Length)]);
                return changed;
            default:
                random.NextBytes(changed.AsSpan(at, length));
                return changed;
        }
    }
}
