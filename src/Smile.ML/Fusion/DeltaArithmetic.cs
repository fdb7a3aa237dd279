using System.Numerics;
using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion;

/// <summary>Differences of parameters, and what is wrong with them.</summary>
internal static class DeltaArithmetic
{
    /// <summary>values -= pretrained; returns the largest magnitude, NaN where there is one.</summary>
    public static float Subtract(Span<float> values, ReadOnlySpan<float> pretrained)
    {
        Vector<float> largest = default;
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> delta = new Vector<float>(values[i..]) - new Vector<float>(pretrained[i..]);
            delta.CopyTo(values[i..]);
            largest = Vector.Max(largest, Vector.Abs(delta));
        }

        float magnitude = 0;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
        {
            magnitude = MathF.Max(magnitude, largest[lane]);
        }

        for (; i < values.Length; i++)
        {
            values[i] -= pretrained[i];
            magnitude = MathF.Max(magnitude, MathF.Abs(values[i]));
        }

        return magnitude;
    }

    /// <summary>Finds why a difference of parameters is not finite, for the error message.</summary>
    public static SmileException NotFinite(ITensorSource fineTuned, ITensorSource pretrained, string name)
        => FindNotFinite(fineTuned, name)
            ?? FindNotFinite(pretrained, name)
            ?? new SmileException($"{fineTuned.Location}: tensor {name} is so far from {pretrained.Location}'s that the difference overflows float32.");

    /// <summary>Finds the first value of a parameter that is not finite.</summary>
    /// <returns>The error that names it; null where the source lacks the tensor or all is well.</returns>
    public static SmileException? FindNotFinite(ITensorSource source, string name)
    {
        if (!source.Tensors.TryGetValue(name, out TensorInfo? tensor))
        {
            return null;
        }

        long columns = tensor.Shape.Count > 0 ? Math.Max(1, tensor.Shape[^1]) : 1;
        var row = new float[columns];
        for (long start = 0; start < tensor.ElementCount; start += columns)
        {
            source.ReadFloats(name, start, row);
            int found = Array.FindIndex(row, value => !float.IsFinite(value));
            if (found >= 0)
            {
                return new SmileException(FormattableString.Invariant(
                    $"{source.Location}: tensor {name} holds {row[found]} at element {start + found}; expected finite values."));
            }
        }

        return null;
    }
}
