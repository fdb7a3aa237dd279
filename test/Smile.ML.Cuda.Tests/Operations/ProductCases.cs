using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>Dense products: several weights of odd sizes over one input.</summary>
internal static class ProductCases
{
    public static IEnumerable<OperationCase> All =>
        [.. Formulas, new OperationCase("dense: a row alone and in a batch", true, (backend, _) => RowsAreIndependent(backend))];

    /// <summary>Gets those that hold for cuBLASLt too.</summary>
    public static IEnumerable<OperationCase> Formulas =>
    [
        Of(1, 1, 1),
        Of(3, 5, 7),
        Of(1, 771, 65, 16),
        Of(65, 33, 67, 5, 1),
        Of(64, 64, 64),
        Of(130, 18, 129, 1, 70),
        Of(2051, 5, 130, 3),
        Of(2, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
        new OperationCase("dense: weights that bfloat16 holds", true, (backend, precision) =>
            Run(backend, precision, 70, 37, [66, 9], (values, _) => Values.CutToBFloat16(values))),
        new OperationCase("dense: weights of 16 bits and of 32", true, (backend, precision) =>
            Run(backend, precision, 20, 21, [9, 40, 8], (values, i) => i == 1 ? values : Values.CutToBFloat16(values))),
        new OperationCase("dense: factors that rounding changes most", true, RoundsAsFarAsStated),
        new OperationCase("dense: no rows", true, (backend, _) => NoRows(backend)),
    ];

    private static OperationCase Of(int rows, int inputs, params int[] outputs) => new(
        $"dense: {rows} x {inputs} by {string.Join(", ", outputs)}",
        true,
        (backend, precision) => Run(backend, precision, rows, inputs, outputs, (values, _) => values));

    private static void Run(
        Backend backend, MatrixPrecision precision, int rows, int inputs, int[] outputs, Func<float[], int, float[]> change)
    {
        float[] x = Values.Random(1, rows * inputs);
        using Tensor input = backend.Upload(rows, inputs, x);
        float[][] weights = [.. outputs.Select((count, i) => change(Values.Random(count, count * inputs), i))];
        float[]?[] biases = [.. outputs.Select((count, i) => i % 2 == 0 ? Values.Random(count + 1, count) : null)];
        DenseProduct[] products =
        [
            .. outputs.Select((count, i) => new DenseProduct(
                backend.LoadDense(count, inputs, Values.Reader(weights[i], inputs), biases[i]), backend.Rent(rows, count))),
        ];
        backend.Multiply(input, products);
        for (int p = 0; p < products.Length; p++)
        {
            int count = outputs[p];
            var expected = new double[rows * count];
            var magnitudes = new double[rows * count];
            for (int i = 0; i < expected.Length; i++)
            {
                (int row, int column) = (i / count, i % count);
                expected[i] = biases[p]?[column] ?? 0;
                magnitudes[i] = Math.Abs(expected[i]);
                for (int k = 0; k < inputs; k++)
                {
                    double term = (double)x[(row * inputs) + k] * weights[p][(column * inputs) + k];
                    expected[i] += term;
                    magnitudes[i] += Math.Abs(term);
                }
            }

            double bound = BoundOf(backend, precision, inputs + 1);
            Values.AssertClose($"product {p}", expected, backend.Download(products[p].Result), i => bound * magnitudes[i]);
            products[p].Result.Dispose();
            products[p].Weights.Dispose();
        }
    }

    private static void RoundsAsFarAsStated(Backend backend, MatrixPrecision precision)
    {
        // Just below the middle between two values of bf16 (and its rest's), of tf32 and float16; just below the next of tf32.
        float[] values = [1 + (1f / 256) - (1f / 131072) - (1f / 8388608), 1 + (1f / 2048) - (1f / 8388608), 1 + (1f / 1024) - (1f / 8388608)];
        using DenseWeights weights = backend.LoadDense(values.Length, 1, Values.Reader(values, 1), null);
        using Tensor input = backend.Upload(values.Length, 1, values), result = backend.Rent(values.Length, values.Length);
        backend.Multiply(input, [new DenseProduct(weights, result)]);
        double[] expected = [.. values.SelectMany(x => values.Select(w => (double)x * w))];
        double bound = BoundOf(backend, precision, 1);
        Values.AssertClose("products", expected, backend.Download(result), i => bound * expected[i]);
    }

    private static double BoundOf(Backend backend, MatrixPrecision precision, int depth)
        => PrecisionBounds.Of(precision, depth, backend is CudaBackend { UsesCublasLt: true });

    private static void RowsAreIndependent(Backend backend)
    {
        const int Rows = 70, Inputs = 45, Outputs = 66;
        float[] x = Values.Random(2, Rows * Inputs), w = Values.Random(3, Outputs * Inputs);
        using DenseWeights weights = backend.LoadDense(Outputs, Inputs, Values.Reader(w, Inputs), null);
        using Tensor input = backend.Upload(Rows, Inputs, x), result = backend.Rent(Rows, Outputs);
        backend.Multiply(input, [new DenseProduct(weights, result)]);
        float[] together = backend.Download(result);
        foreach (int row in (int[])[0, 13, 69])
        {
            using Tensor one = backend.Upload(1, Inputs, x[(row * Inputs)..((row + 1) * Inputs)]), alone = backend.Rent(1, Outputs);
            backend.Multiply(one, [new DenseProduct(weights, alone)]);
            Values.AssertSame<float>($"row {row}", together.AsSpan(row * Outputs, Outputs), backend.Download(alone));
        }
    }

    private static void NoRows(Backend backend)
    {
        using DenseWeights weights = backend.LoadDense(3, 2, Values.Reader(Values.Random(1, 6), 2), null);
        using Tensor input = backend.Rent(0, 2), result = backend.Rent(0, 3);
        backend.Multiply(input, [new DenseProduct(weights, result)]);
        backend.Download(result);
    }
}
