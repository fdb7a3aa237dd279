using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>Norms, nonlinearities, and moving rows about.</summary>
internal static class RowCases
{
    public static IEnumerable<OperationCase> All =>
    [
        Norms(1, 1),
        Norms(3, 16),
        Norms(7, 129),
        Norms(5, 1000),
        .. Enum.GetValues<Activation>().Select(activation => new OperationCase($"activation: {activation}", false, (b, _) => Activate(b, activation))),
        new OperationCase("rows: add and multiply with a period", false, (backend, _) => Combine(backend)),
        new OperationCase("rows: gather and scatter", false, (backend, _) => Move(backend)),
        new OperationCase("rows: rotary embedding", false, (backend, _) => Rotate(backend)),
        new OperationCase("rows: a bias along the diagonals", false, (backend, _) => SpreadDiagonals(backend)),
        new OperationCase("rows: patches", false, (backend, _) => ExtractPatches(backend)),
    ];

    private static OperationCase Norms(int rows, int columns) => new($"norms: {rows} x {columns}", false, (backend, _) =>
    {
        float[] x = [.. Values.Random(1, rows * columns).Select(value => (3 * value) + 5)];
        float[] gain = Values.Random(2, columns), bias = Values.Random(3, columns);
        using Tensor input = backend.Upload(rows, columns, x), result = backend.Rent(rows, columns);
        using Tensor g = backend.Upload(1, columns, gain), b = backend.Upload(1, columns, bias);
        var (layer, rms) = (new double[x.Length], new double[x.Length]);
        for (int row = 0; row < rows; row++)
        {
            double[] values = [.. x.Skip(row * columns).Take(columns)];
            double mean = values.Average(), variance = values.Average(v => (v - mean) * (v - mean)), square = values.Average(v => v * v);
            for (int i = 0; i < columns; i++)
            {
                layer[(row * columns) + i] = ((values[i] - mean) / Math.Sqrt(variance + 1e-5) * gain[i]) + bias[i];
                rms[(row * columns) + i] = values[i] / Math.Sqrt(square + 1e-6) * gain[i];
            }
        }

        backend.LayerNorm(input, g, b, 1e-5f, result);
        Values.AssertClose("layer norm", layer, backend.Download(result), 2e-5);
        backend.RmsNorm(input, g, 1e-6f, result);
        Values.AssertClose("RMS norm", rms, backend.Download(result), 1e-5);
    });

    private static void Activate(Backend backend, Activation activation)
    {
        float[] x = [.. Enumerable.Range(-2000, 4001).Select(i => i / 100f), -1e30f, 1e30f, 0f, -0f, 1e-30f, -88f, 90f, -1e-4f];
        using Tensor tensor = backend.Upload(1, x.Length, x), broken = backend.Upload(1, 1, [float.NaN]);
        backend.Activate(tensor, activation);
        double[] expected = [.. x.Select(value => Reference(activation, value))];
        Values.AssertClose($"{activation}", expected, backend.Download(tensor), i => 4e-7 * Math.Max(1, Math.Abs(expected[i])));
        backend.Activate(broken, activation);
        Values.AssertSame<float>("NaN", [float.NaN], backend.Download(broken));
    }

    private static double Reference(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(0, x),
        Activation.Gelu => x * NormalDistribution(x),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        _ => Math.Tanh(x),
    };

    /// <summary>Phi(x), by Simpson's rule from 0; beyond 9 it is 0 or 1 in float32.</summary>
    private static double NormalDistribution(double x)
    {
        if (Math.Abs(x) > 9)
        {
            return x > 0 ? 1 : 0;
        }

        const int Steps = 400;
        double step = x / Steps, sum = 0;
        for (int i = 0; i <= Steps; i++)
        {
            double t = i * step;
            sum += Math.Exp(-t * t / 2) * (i is 0 or Steps ? 1 : i % 2 == 1 ? 4 : 2);
        }

        return 0.5 + (sum * step / 3 / Math.Sqrt(2 * Math.PI));
    }

    private static void Combine(Backend backend)
    {
        const int Rows = 13, Columns = 37, Period = 5;
        float[] x = Values.Random(1, Rows * Columns), y = Values.Random(2, Period * Columns);
        using Tensor sum = backend.Upload(Rows, Columns, x), product = backend.Upload(Rows, Columns, x), values = backend.Upload(Period, Columns, y);
        backend.Add(sum, values);
        backend.MultiplyElements(product, values);
        Values.AssertSame<float>("sum", [.. x.Select((v, i) => v + y[i % (Period * Columns)])], backend.Download(sum));
        Values.AssertSame<float>("product", [.. x.Select((v, i) => v * y[i % (Period * Columns)])], backend.Download(product));
    }

    private static void Move(Backend backend)
    {
        const int Columns = 35;
        float[] x = Values.Random(1, 9 * Columns);
        int[] rows = [8, 0, 3, 3, 5];
        using Tensor source = backend.Upload(9, Columns, x), gathered = backend.Rent(rows.Length, Columns);
        backend.GatherRows(source, rows, gathered);
        Values.AssertSame<float>(
            "gathered", [.. Enumerable.Range(0, rows.Length * Columns).Select(i => x[(rows[i / Columns] * Columns) + (i % Columns)])], backend.Download(gathered));

        int[] places = [4, 1, 6, 0, 2];
        float[] start = Values.Random(2, 7 * Columns);
        using Tensor target = backend.Upload(7, Columns, start), two = backend.Upload(2, Columns, x[..(2 * Columns)]);
        backend.ScatterRows(two, places, target);
        for (int i = 0; i < places.Length; i++)
        {
            x.AsSpan(i % 2 * Columns, Columns).CopyTo(start.AsSpan(places[i] * Columns));
        }

        Values.AssertSame<float>("scattered", start, backend.Download(target));
    }

    private static void Rotate(Backend backend)
    {
        const int Rows = 7, Heads = 3, Size = 10, Period = 3;
        float[] x = Values.Random(1, Rows * Heads * Size), angles = Values.Random(2, Period * Size);
        using Tensor values = backend.Upload(Rows, Heads * Size, x), table = backend.Upload(Period, Size, angles);
        backend.Rotate(values, table);
        double[] expected = [.. x.Select((_, i) =>
        {
            int feature = i % Size, row = i / (Heads * Size), half = Size / 2;
            double cosine = angles[(row % Period * Size) + (feature % half)], sine = angles[(row % Period * Size) + half + (feature % half)];
            return feature < half ? (x[i] * cosine) - (x[i + half] * sine) : (x[i] * cosine) + (x[i - half] * sine);
        })];
        Values.AssertClose("rotated", expected, backend.Download(values), 2e-7);
    }

    private static void SpreadDiagonals(Backend backend)
    {
        const int Heads = 3, Queries = 4, Keys = 6;
        float[] x = Values.Random(1, 5 * Heads);
        int[] rows = [4, 0, 1, 2, 2, 3, 1, 0, 4];
        using Tensor table = backend.Upload(5, Heads, x), bias = backend.Rent(Heads * Queries, Keys);
        backend.SpreadDiagonals(table, rows, bias);
        Values.AssertSame<float>(
            "bias",
            [.. Enumerable.Range(0, Heads * Queries * Keys).Select(i =>
                x[(rows[(i % Keys) - (i / Keys % Queries) + Queries - 1] * Heads) + (i / Keys / Queries)])],
            backend.Download(bias));
    }

    private static void ExtractPatches(Backend backend)
    {
        const int Images = 2, Channels = 3, Size = 6, Patch = 2, Side = Size / Patch;
        float[] x = Values.Random(1, Images * Channels * Size * Size);
        using Tensor images = backend.Upload(Images, Channels * Size * Size, x);
        using Tensor patches = backend.Rent(Images * Side * Side, Channels * Patch * Patch);
        backend.ExtractPatches(images, new PatchGeometry(Channels, Size, Patch), patches);
        var expected = new List<float>();
        for (int image = 0; image < Images; image++)
        {
            for (int patch = 0; patch < Side * Side; patch++)
            {
                for (int i = 0; i < Channels * Patch * Patch; i++)
                {
                    int y = (patch / Side * Patch) + (i / Patch % Patch), column = (patch % Side * Patch) + (i % Patch);
                    expected.Add(x[(((((image * Channels) + (i / Patch / Patch)) * Size) + y) * Size) + column]);
                }
            }
        }

        Values.AssertSame<float>("patches", expected.ToArray(), backend.Download(patches));
    }
}
