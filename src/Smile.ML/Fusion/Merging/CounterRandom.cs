using System.Text;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Random numbers by index: element i of a tensor has its own, whatever is computed before it, on however many threads. The numbers are
/// those of <see cref="SplitMix64"/>, from a start that follows from the names.
/// </summary>
internal readonly struct CounterRandom
{
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

        return new CounterRandom(SplitMix64.Mix(hash + SplitMix64.Mix((uint)seed + SplitMix64.Increment)));
    }

    /// <summary>Gets the number of an element, uniform in [0, 1).</summary>
    public double this[long index] => SplitMix64.UnitInterval(_start + ((ulong)index + 1) * SplitMix64.Increment);
}
