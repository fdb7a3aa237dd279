using Smile.ML.Checkpoints;

namespace Smile.ML.Tests.Networks;

/// <summary>The modules of transformers in float64, over one sequence [tokens][features], written from their formulas.</summary>
internal sealed class Reference(IReadOnlyDictionary<string, HostTensor> weights)
{
    public double[][] Embed(string name, IEnumerable<int> ids) => [.. ids.Select(id => Row($"{name}.weight", id))];

    public double[][] Linear(string name, double[][] x)
    {
        int outputs = (int)weights[$"{name}.weight"].Shape[0];
        double[][] rows = [.. Enumerable.Range(0, outputs).Select(output => Row($"{name}.weight", output))];
        float[] bias = weights.TryGetValue($"{name}.bias", out HostTensor? tensor) ? tensor.Floats! : new float[outputs];
        return [.. x.Select(token => rows.Select((row, output) => Dot(row, token) + bias[output]).ToArray())];
    }

    public double[][] LayerNorm(string name, double[][] x, double epsilon)
    {
        float[] gain = weights[$"{name}.weight"].Floats!, bias = weights[$"{name}.bias"].Floats!;
        return [.. x.Select(token =>
        {
            double mean = token.Average(), variance = token.Average(value => (value - mean) * (value - mean));
            return token.Select((value, i) => ((value - mean) / Math.Sqrt(variance + epsilon) * gain[i]) + bias[i]).ToArray();
        })];
    }

    public double[][] RmsNorm(string name, double[][] x, double epsilon)
    {
        float[] gain = weights[$"{name}.weight"].Floats!;
        return [.. x.Select(token =>
        {
            double square = token.Average(value => value * value);
            return token.Select((value, i) => value / Math.Sqrt(square + epsilon) * gain[i]).ToArray();
        })];
    }

    /// <summary>softmax(scale q k^T + bias) v; a bias of minus infinity hides a key.</summary>
    public static double[][] Attend(double[][] q, double[][] k, double[][] v, int heads, double scale, Func<int, int, int, double>? bias = null)
    {
        int size = q[0].Length / heads;
        double[][] result = [.. q.Select(row => new double[row.Length])];
        for (int head = 0; head < heads; head++)
        {
            int start = head * size;
            for (int i = 0; i < q.Length; i++)
            {
                double[] scores = [.. k.Select((key, j) => (scale * Dot(q[i][start..(start + size)], key[start..(start + size)])) + (bias?.Invoke(head, i, j) ?? 0))];
                double highest = scores.Max();
                double[] exponentials = [.. scores.Select(score => Math.Exp(score - highest))];
                for (int c = start; c < start + size; c++)
                {
                    result[i][c] = exponentials.Select((e, j) => e * v[j][c]).Sum() / exponentials.Sum();
                }
            }
        }

        return result;
    }

    public static double[][] Add(double[][] x, double[][] y) => [.. x.Zip(y, (a, b) => a.Zip(b, (p, q) => p + q).ToArray())];

    public static double[][] Map(double[][] x, Func<double, double> function) => [.. x.Select(row => row.Select(function).ToArray())];

    public static double Relu(double x) => Math.Max(0, x);

    /// <summary>Within 1e-5 of the largest value (at least 1).</summary>
    public static void AssertClose(string what, IEnumerable<double> expected, IEnumerable<float> actual)
    {
        double[] reference = [.. expected];
        float[] values = [.. actual];
        Assert.HasCount(reference.Length, values, what);
        double scale = Math.Max(1, reference.Max(Math.Abs));
        Assert.IsLessThanOrEqualTo(1e-5 * scale, reference.Zip(values, (x, y) => Math.Abs(x - y)).Max(), what);
    }

    private double[] Row(string name, int row)
    {
        int columns = (int)weights[name].Shape[1];
        return [.. weights[name].Floats!.Skip(row * columns).Take(columns).Select(value => (double)value)];
    }

    private static double Dot(double[] x, double[] y) => x.Zip(y, (a, b) => a * b).Sum();
}
