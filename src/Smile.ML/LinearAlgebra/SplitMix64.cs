namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Steele, Lea and Flood's generator (OOPSLA 2014): a mixing of a counter. Small, and the same sequence on every runtime and machine, which
/// <see cref="Random"/> does not promise.
/// </summary>
internal struct SplitMix64
{
    /// <summary>What the counter grows by.</summary>
    public const ulong Increment = 0x9E3779B97F4A7C15;

    private ulong _state;

    /// <summary>Starts a sequence.</summary>
    /// <param name="seed">Where to start.</param>
    public SplitMix64(ulong seed) => _state = seed;

    /// <summary>Gets a number uniform in [-1, 1), a multiple of 2^-23.</summary>
    /// <returns>The number.</returns>
    public float NextSigned()
    {
        _state += Increment;
        return (int)(Mix(_state) >> 40) * (1f / (1 << 23)) - 1f;
    }

    /// <summary>Mixes a counter.</summary>
    /// <param name="counter">The counter.</param>
    /// <returns>64 bits that look random.</returns>
    public static ulong Mix(ulong counter)
    {
        counter = (counter ^ (counter >> 30)) * 0xBF58476D1CE4E5B9;
        counter = (counter ^ (counter >> 27)) * 0x94D049BB133111EB;
        return counter ^ (counter >> 31);
    }

    /// <summary>Makes a number uniform in [0, 1), a multiple of 2^-53, of a counter.</summary>
    /// <param name="counter">The counter.</param>
    /// <returns>The number.</returns>
    public static double UnitInterval(ulong counter) => (Mix(counter) >> 11) * (1.0 / (1L << 53));
}
