using System.Buffers;
using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Fusion;

/// <summary>The rows of a difference of two checkpoints' weights, computed in float32 as they are read.</summary>
/// <param name="fineTuned">Holds the fine-tuned weight.</param>
/// <param name="pretrained">Holds the pretrained weight.</param>
/// <param name="name">The weight's name.</param>
/// <param name="columns">The length of a row.</param>
internal readonly struct DeltaRows(ITensorSource fineTuned, ITensorSource pretrained, string name, int columns) : IRowSource
{
    // The bits of a magnitude: those of numbers from 0 up are ordered as the numbers are, and NaN's lie above them.
    private readonly int[] _magnitude = new int[1];

    /// <summary>Gets the largest magnitude of the elements read so far, which is not finite if one of them is not.</summary>
    public float Magnitude => BitConverter.Int32BitsToSingle(Volatile.Read(ref _magnitude[0]));

    public void ReadRows(int first, Span<float> destination)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(destination.Length);
        Span<float> before = rented.AsSpan(0, destination.Length);
        long start = (long)first * columns;
        fineTuned.ReadFloats(name, start, destination);
        pretrained.ReadFloats(name, start, before);
        Raise(BitConverter.SingleToInt32Bits(MathF.Abs(DeltaArithmetic.Subtract(destination, before))));
        ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>Makes the error for a difference that is not finite.</summary>
    public SmileException NotFinite() => DeltaArithmetic.NotFinite(fineTuned, pretrained, name);

    private void Raise(int magnitude)
    {
        int seen = Volatile.Read(ref _magnitude[0]);
        while (magnitude > seen)
        {
            int found = Interlocked.CompareExchange(ref _magnitude[0], magnitude, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }
}
