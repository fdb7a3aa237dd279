namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Finds the magnitude of a given rank in a stream of values, exactly and without storing them. The stream is shown
/// <see cref="Passes"/> times: magnitudes are ordered as their bits are, so the first pass counts by the upper 16 of the 31 bits, the
/// second by the lower 15 of those that share the upper ones found.
/// </summary>
/// <param name="rank">The rank from 0, smallest magnitude first.</param>
internal sealed class MagnitudeSelection(long rank)
{
    /// <summary>How often the whole stream must be shown.</summary>
    public const int Passes = 2;

    private const int LowerBits = 15;
    private const uint LowerMask = (1 << LowerBits) - 1;
    private const uint MagnitudeMask = 0x7FFF_FFFF;

    private readonly long[] _counts = new long[1 << 16];
    private long _rank = rank;
    private uint? _upper;

    /// <summary>Gets the magnitude, after the last pass.</summary>
    public float Result { get; private set; } = float.NaN;

    /// <summary>Shows a piece of the stream; pieces may come in any order.</summary>
    public void Count(ReadOnlySpan<float> values)
    {
        if (_upper is not { } upper)
        {
            foreach (float value in values)
            {
                _counts[Bits(value) >> LowerBits]++;
            }

            return;
        }

        foreach (float value in values)
        {
            uint bits = Bits(value);
            if (bits >> LowerBits == upper)
            {
                _counts[bits & LowerMask]++;
            }
        }
    }

    /// <summary>Ends a pass.</summary>
    /// <exception cref="InvalidOperationException">The stream has no value of the rank.</exception>
    public void EndPass()
    {
        uint bucket = 0;
        while (bucket < _counts.Length && _rank >= _counts[bucket])
        {
            _rank -= _counts[bucket++];
        }

        if (bucket == _counts.Length)
        {
            throw new InvalidOperationException("The stream is too short for the rank.");
        }

        Array.Clear(_counts);
        if (_upper is { } upper)
        {
            Result = BitConverter.UInt32BitsToSingle((upper << LowerBits) | bucket);
        }
        else
        {
            _upper = bucket;
        }
    }

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value) & MagnitudeMask;
}
