using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>Makes inputs and compares outcomes.</summary>
internal static class Values
{
    /// <summary>Makes values between -1 and 1.</summary>
    public static float[] Random(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
    }

    /// <summary>Cuts values to what a bfloat16 holds.</summary>
    public static float[] CutToBFloat16(float[] values)
        => [.. values.Select(value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xffff0000))];

    public static Tensor Upload(this Backend backend, int rows, int columns, float[] values)
    {
        Tensor tensor = backend.Rent(rows, columns);
        backend.Upload(values, tensor);
        return tensor;
    }

    public static float[] Download(this Backend backend, Tensor tensor)
    {
        var values = new float[tensor.Length];
        backend.Download(tensor, values);
        return values;
    }

    public static RowReader Reader(float[] values, int columns)
        => (row, destination) => values.AsSpan(row * columns, destination.Length).CopyTo(destination);

    /// <summary>Checks that each value is within its own tolerance, or NaN where NaN is expected.</summary>
    public static void AssertClose(string what, double[] expected, float[] actual, Func<int, double> tolerance)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            // Written so that NaN fails.
            if (double.IsNaN(expected[i]) ? !float.IsNaN(actual[i]) : !(Math.Abs(expected[i] - actual[i]) <= tolerance(i)))
            {
                throw new OperationFailedException($"{what}: value {i} is {actual[i]:R}, expected {expected[i]:R} within {tolerance(i):E1}");
            }
        }
    }

    public static void AssertClose(string what, double[] expected, float[] actual, double tolerance)
        => AssertClose(what, expected, actual, _ => tolerance);

    public static void AssertSame<T>(string what, ReadOnlySpan<T> expected, ReadOnlySpan<T> actual)
        where T : IEquatable<T>
    {
        int at = expected.CommonPrefixLength(actual);
        if (at < expected.Length)
        {
            throw new OperationFailedException($"{what}: value {at} is {actual[at]}, expected {expected[at]}");
        }
    }
}
