using System.Text;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Random numbers by index: element i of a tensor has its own, whatever is computed before it, on however many threads. The numbers are
/// SplitMix64's (Steele, Lea and Flood, OOPSLA 2014), which is a mixing of a counter, from a start that follows from the names.
/// </summary>
internal readonly struct CounterRandom
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    private readonly ulong _start;

    private CounterRandom(ulong start) => _start = start;

    /// <summary>Gets the numbers of one expert's tensor.</summary>
    public static CounterRandom Create(int seed, string expert, string tensor)
    {
        // FNV-1a of both names; a byte that UTF-8 never uses keeps them apart.
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in (byte[])[.. Encoding.UTF8.GetBytes(expert), 0xFF, .. Encoding.UTF8.GetBytes(tensor)])
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        return new CounterRandom(Mix(hash + Mix((uint)seed + Increment)));
    }

    /// <summary>Gets the number of an element, uniform in [0, 1).</summary>
    public double this[long index] => (Mix(_start + ((ulong)index + 1) * Increment) >> 11) * (1.0 / (1L << 53));

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
