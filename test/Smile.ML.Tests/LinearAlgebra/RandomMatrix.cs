using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Tests.LinearAlgebra;

/// <summary>Matrices to test with, the same every time.</summary>
internal static class RandomMatrix
{
    public static Matrix Uniform(int rows, int columns, ulong seed)
    {
        var random = new SplitMix64(seed);
        var matrix = new Matrix(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            foreach (ref float element in matrix.Row(i))
            {
                element = random.NextSigned();
            }
        }

        return matrix;
    }

    /// <summary>The sum of s_i u_i v_i^T over random (hence nearly orthogonal, but not exactly) unit-sized u_i and v_i, plus noise.</summary>
    public static Matrix WithSpectrum(int rows, int columns, double[] spectrum, double noise, ulong seed)
    {
        using Matrix left = Uniform(rows, spectrum.Length, seed);
        using Matrix right = Uniform(spectrum.Length, columns, seed + 1);
        double unit = 3 / Math.Sqrt((double)rows * columns);
        for (int i = 0; i < spectrum.Length; i++)
        {
            foreach (ref float element in right.Row(i))
            {
                element = (float)(element * spectrum[i] * unit);
            }
        }

        using var pool = new WorkerPool(1);
        Matrix sum = Matrix.Multiply(left.View, right.View, pool);
        if (noise > 0)
        {
            using Matrix errors = Uniform(rows, columns, seed + 2);
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    sum.Row(i)[j] += (float)noise * errors.Row(i)[j];
                }
            }
        }

        return sum;
    }

    /// <summary>A matrix with exactly these singular values, and waves (the vectors of the discrete cosine transform) for singular vectors.</summary>
    public static Matrix WithCosines(int rows, int columns, double[] singularValues)
    {
        var matrix = new Matrix(rows, columns);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                double sum = 0;
                for (int k = 0; k < singularValues.Length; k++)
                {
                    sum += singularValues[k] * Wave(k, i, rows) * Wave(k, j, columns);
                }

                matrix.Row(i)[j] = (float)sum;
            }
        }

        return matrix;

        static double Wave(int k, int i, int length)
            => Math.Sqrt((k == 0 ? 1.0 : 2.0) / length) * Math.Cos(Math.PI * k * (i + 0.5) / length);
    }
}
