namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Steele, Lea and Flood's generator (OOPSLA 2014). Small, and the same sequence on every runtime and machine, which
/// <see cref="Random"/> does not promise.
/// </summary>
internal struct SplitMix64
{
    private ulong _state;

    /// <summary>Starts a sequence.</summary>
    /// <param name="seed">Where to start.</param>
    public SplitMix64(ulong seed) => _state = seed;

    /// <summary>Gets a number uniform in [-1, 1), a multiple of 2^-23.</summary>
    /// <returns>The number.</returns>
    public float NextSigned()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return (int)(z >> 40) * (1f / (1 << 23)) - 1f;
    }
}
