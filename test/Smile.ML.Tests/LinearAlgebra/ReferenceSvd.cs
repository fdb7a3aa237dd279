using Smile.ML.LinearAlgebra;

namespace Smile.ML.Tests.LinearAlgebra;

/// <summary>Singular values in float64 by the plainest one-sided Jacobi iteration.</summary>
internal static class ReferenceSvd
{
    public static double[] SingularValues(Matrix matrix)
    {
        bool wide = matrix.Columns > matrix.Rows;
        int count = wide ? matrix.Rows : matrix.Columns;
        int length = wide ? matrix.Columns : matrix.Rows;
        var vectors = new double[count][];
        for (int i = 0; i < count; i++)
        {
            vectors[i] = new double[length];
            for (int j = 0; j < length; j++)
            {
                vectors[i][j] = wide ? matrix.Row(i)[j] : matrix.Row(j)[i];
            }
        }

        bool rotated = true;
        for (int sweep = 0; rotated && sweep < 50; sweep++)
        {
            rotated = false;
            for (int p = 0; p < count; p++)
            {
                for (int q = p + 1; q < count; q++)
                {
                    rotated |= Rotate(vectors[p], vectors[q]);
                }
            }
        }

        double[] values = [.. vectors.Select(v => Math.Sqrt(v.Sum(x => x * x)))];
        Array.Sort(values);
        Array.Reverse(values);
        return values;
    }

    private static bool Rotate(double[] x, double[] y)
    {
        double xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Length; i++)
        {
            xx += x[i] * x[i];
            yy += y[i] * y[i];
            xy += x[i] * y[i];
        }

        if (Math.Abs(xy) <= 1e-14 * Math.Sqrt(xx * yy))
        {
            return false;
        }

        double angle = 0.5 * Math.Atan2(2 * xy, xx - yy);
        double c = Math.Cos(angle), s = Math.Sin(angle);
        for (int i = 0; i < x.Length; i++)
        {
            (x[i], y[i]) = (c * x[i] + s * y[i], c * y[i] - s * x[i]);
        }

        return true;
    }
}
