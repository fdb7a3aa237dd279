using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>The formats of packed weights.</summary>
internal static unsafe class WeightFormats
{
    /// <summary>float32 as it is.</summary>
    public readonly struct Float32 : IWeightFormat
    {
        public static int Bytes => sizeof(float);

        public static bool Holds(ReadOnlySpan<float> values) => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(float value, byte* destination) => *(float*)destination = value;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(byte* source)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.Load((float*)source);
    }

    /// <summary>bfloat16: the upper half of a float32.</summary>
    public readonly struct BFloat16 : IWeightFormat
    {
        public static int Bytes => sizeof(ushort);

        public static bool Holds(ReadOnlySpan<float> values)
        {
            uint bits = 0;
            foreach (uint value in MemoryMarshal.Cast<float, uint>(values))
            {
                bits |= value;
            }

            return (bits & 0xFFFF) == 0;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(float value, byte* destination)
            => *(ushort*)destination = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(byte* source)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.LoadBFloat16((ushort*)source);
    }

    /// <summary>IEEE float16, finite values only.</summary>
    public readonly struct Float16 : IWeightFormat
    {
        public static int Bytes => sizeof(ushort);

        public static bool Holds(ReadOnlySpan<float> values)
        {
            foreach (float value in values)
            {
                var half = (Half)value;
                if (!Half.IsFinite(half) || (float)half != value)
                {
                    return false;
                }
            }

            return true;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(float value, byte* destination) => *(Half*)destination = (Half)value;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TVector Load<TSimd, TVector>(byte* source)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
            => TSimd.LoadFloat16((ushort*)source);
    }
}
