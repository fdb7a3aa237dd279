using System.Numerics;
using System.Runtime.InteropServices;

namespace Smile.ML.Checkpoints;

/// <summary>Converts between float32 and the floating-point types of a file. A value's conversion does not depend on its neighbours.</summary>
internal static class FloatCodec
{
    // Moves a half's exponent, placed in a single's exponent field, to where a single has it (bias 127 instead of 15).
    private const float HalfToSingleScale = 5.192296858534828e33f;
    private const uint HalfInfinity = 0x7C00u << 13;
    private const uint SingleInfinity = 0x7F800000;

    /// <summary>Widens stored elements, or for F64 rounds them to the nearest float32.</summary>
    /// <param name="type">The stored type, a floating-point one.</param>
    /// <param name="source">The stored little-endian elements, not necessarily aligned.</param>
    /// <param name="destination">Receives as many values.</param>
    public static void Decode(TensorType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorType.F16:
                DecodeHalf(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorType.BF16:
                DecodeBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorType.F64:
                DecodeDouble(MemoryMarshal.Cast<byte, double>(source), destination);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "not a floating-point type");
        }
    }

    /// <summary>Rounds values to the nearest element, ties to even; NaN stays NaN and infinity infinity.</summary>
    /// <param name="source">The values.</param>
    /// <param name="type">The type to store, a floating-point one.</param>
    /// <param name="destination">Receives the little-endian elements.</param>
    /// <returns>The index of the first finite value that is too large for the type, or -1.</returns>
    public static int Encode(ReadOnlySpan<float> source, TensorType type, Span<byte> destination)
    {
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                return -1;
            case TensorType.F16:
                return EncodeHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
            case TensorType.BF16:
                return EncodeBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination));
            case TensorType.F64:
                EncodeDouble(source, MemoryMarshal.Cast<byte, double>(destination));
                return -1;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "not a floating-point type");
        }
    }

    private static void DecodeHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            WidenHalf(low).CopyTo(destination[i..]);
            WidenHalf(high).CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        // The remainder takes the same route through a padded vector, so that its NaNs keep their bits as well.
        Span<ushort> padded = stackalloc ushort[Vector<ushort>.Count];
        Span<float> widened = stackalloc float[Vector<ushort>.Count];
        padded.Clear();
        source[i..].CopyTo(padded);
        Vector.Widen(new Vector<ushort>(padded), out Vector<uint> first, out Vector<uint> second);
        WidenHalf(first).CopyTo(widened);
        WidenHalf(second).CopyTo(widened[Vector<uint>.Count..]);
        widened[..(source.Length - i)].CopyTo(destination[i..]);
    }

    private static Vector<float> WidenHalf(Vector<uint> half)
    {
        // Exponent and fraction moved to a single's fields; the scaling is exact and normalises subnormal halves.
        Vector<uint> magnitude = (half & new Vector<uint>(0x7FFF)) << 13;
        Vector<uint> sign = (half & new Vector<uint>(0x8000)) << 16;
        Vector<uint> scaled = (magnitude.As<uint, float>() * HalfToSingleScale).As<float, uint>();
        Vector<uint> infiniteOrNaN = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(HalfInfinity)) & new Vector<uint>(SingleInfinity);
        return (scaled | infiniteOrNaN | sign).As<uint, float>();
    }

    private static void DecodeBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).As<uint, float>().CopyTo(destination[i..]);
            (high << 16).As<uint, float>().CopyTo(destination[(i + Vector<uint>.Count)..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    private static void DecodeDouble(ReadOnlySpan<double> source, Span<float> destination)
    {
        int i = 0;
        for (; i <= source.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            var low = new Vector<double>(source[i..]);
            var high = new Vector<double>(source[(i + Vector<double>.Count)..]);
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = (float)source[i];
        }
    }

    private static int EncodeHalf(ReadOnlySpan<float> source, Span<Half> destination)
    {
        int overflow = -1;
        for (int i = 0; i < source.Length; i++)
        {
            var half = (Half)source[i];
            destination[i] = half;
            if (Half.IsInfinity(half) && float.IsFinite(source[i]) && overflow < 0)
            {
                overflow = i;
            }
        }

        return overflow;
    }

    private static int EncodeBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        const uint QuietBit = 0x0040;
        const ushort Infinity = 0x7F80;
        int overflow = -1;
        for (int i = 0; i < source.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(source[i]);
            if (float.IsNaN(source[i]))
            {
                // The quiet bit keeps a NaN from becoming infinity when all its set bits are in the half that is cut off.
                destination[i] = (ushort)((bits >> 16) | QuietBit);
                continue;
            }

            uint tiesToEven = 0x7FFF + ((bits >> 16) & 1);
            ushort rounded = (ushort)((bits + tiesToEven) >> 16);
            destination[i] = rounded;
            if ((rounded & 0x7FFF) == Infinity && float.IsFinite(source[i]) && overflow < 0)
            {
                overflow = i;
            }
        }

        return overflow;
    }

    private static void EncodeDouble(ReadOnlySpan<float> source, Span<double> destination)
    {
        for (int i = 0; i < source.Length; i++)
        {
            destination[i] = source[i];
        }
    }
}
