using System.Globalization;

namespace Microsoft.ML.Data;

/// <summary>A 128-bit row identity that survives shuffling and parallel reading.</summary>
public readonly struct DataViewRowId(ulong low, ulong high) : IComparable<DataViewRowId>, IEquatable<DataViewRowId>
{
    private const ulong ForkSalt = 0xA0761D6478BD642F, NextSalt = 0xE7037ED1A0B428DB;

    public readonly ulong Low = low;
    public readonly ulong High = high;

    public DataViewRowId Fork() => Mix(this, ForkSalt);

    public DataViewRowId Next() => Mix(this, NextSalt);

    public DataViewRowId Combine(DataViewRowId other)
    {
        var left = Mix(this, ForkSalt);
        return Mix(new DataViewRowId(left.Low ^ other.Low, left.High ^ other.High), NextSalt);
    }

    public int CompareTo(DataViewRowId other) => (High, Low).CompareTo((other.High, other.Low));

    public bool Equals(DataViewRowId other) => Low == other.Low && High == other.High;

    public override bool Equals(object obj) => obj is DataViewRowId other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Low, High);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High:x16}{Low:x16}");

    /// <summary>One folded multiplication per half, so that every input bit reaches both halves.</summary>
    private static DataViewRowId Mix(DataViewRowId id, ulong salt)
    {
        ulong highA = Math.BigMul(id.Low ^ salt, id.High ^ 0x8EBC6AF09C88C6E3, out ulong lowA);
        ulong highB = Math.BigMul(id.High ^ salt, id.Low ^ 0x589965CC75374CC3, out ulong lowB);
        return new DataViewRowId(highA ^ lowA, highB ^ lowB);
    }
}
