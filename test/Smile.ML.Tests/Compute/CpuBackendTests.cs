using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Compute;

/// <summary>The backend's operations against their formulas in float64, at sizes that are multiples of nothing.</summary>
[TestClass]
public sealed class CpuBackendTests
{
    private static readonly CpuBackend Cpu = new(threads: 2);

    [TestMethod]
    [DataRow("Relu", 0)]
    [DataRow("Gelu", 3e-7)]
    [DataRow("GeluTanh", 3e-7)]
    [DataRow("QuickGelu", 3e-7)]
    [DataRow("Silu", 3e-7)]
    [DataRow("Tanh", 3e-7)]
    public void ActivationsFollowTheirFormulas(string name, double tolerance)
    {
        Activation activation = Enum.Parse<Activation>(name);
        float[] x = [.. Enumerable.Range(-4000, 8001).Select(i => i / 200f), -1e30f, 1e30f, 0f, -0f, 1e-30f, -88f, 90f, -1e-4f];
        float[] y = OnBackend(1, x.Length, x, tensor => Cpu.Activate(tensor, activation));
        for (int i = 0; i < x.Length; i++)
        {
            double expected = Reference(activation, x[i]);
            Assert.AreEqual(expected, y[i], tolerance * Math.Max(1, Math.Abs(expected)), $"{name}({x[i]})");
        }

        Assert.IsTrue(float.IsNaN(OnBackend(1, 1, [float.NaN], tensor => Cpu.Activate(tensor, activation))[0]));
    }

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(3, 16)]
    [DataRow(7, 129)]
    [DataRow(40, 768)]
    public void NormsFollowTheirFormulas(int rows, int columns)
    {
        var random = new Random(columns);
        float[] x = [.. TestPool.Gaussian(random, 2, rows, columns).Floats!.Select(value => value + 5)];
        float[] gain = TestPool.Gaussian(random, 1, columns).Floats!, bias = TestPool.Gaussian(random, 1, columns).Floats!;
        using Tensor input = Upload(rows, columns, x), g = Upload(1, columns, gain), b = Upload(1, columns, bias), result = Cpu.Rent(rows, columns);
        Cpu.LayerNorm(input, g, b, 1e-5f, result);
        float[] layer = Download(result);
        Cpu.RmsNorm(input, g, 1e-6f, result);
        float[] rms = Download(result);
        for (int row = 0; row < rows; row++)
        {
            double[] values = [.. x.Skip(row * columns).Take(columns)];
            double mean = values.Average(), variance = values.Average(v => (v - mean) * (v - mean)), square = values.Average(v => v * v);
            for (int i = 0; i < columns; i++)
            {
                Assert.AreEqual(((values[i] - mean) / Math.Sqrt(variance + 1e-5) * gain[i]) + bias[i], layer[(row * columns) + i], 2e-5);
                Assert.AreEqual(values[i] / Math.Sqrt(square + 1e-6) * gain[i], rms[(row * columns) + i], 1e-5);
            }
        }
    }

    [TestMethod]
    [DataRow(1, 1, 1, 1, 1, 4, false, 0)]
    [DataRow(2, 5, 5, 2, 2, 8, false, 0)]
    [DataRow(3, 33, 33, 4, 2, 20, true, 0)]
    [DataRow(2, 3, 19, 4, 1, 16, true, 0)]
    [DataRow(1, 21, 21, 2, 1, 7, true, 4)]
    public void AttentionFollowsItsFormula(int batch, int queries, int keys, int heads, int keyHeads, int size, bool causal, int window)
    {
        var random = new Random(keys);
        float[] q = TestPool.Gaussian(random, 1, batch * queries, heads * size).Floats!;
        float[] k = TestPool.Gaussian(random, 1, batch * keys, keyHeads * size).Floats!;
        float[] v = TestPool.Gaussian(random, 1, batch * keys, keyHeads * size).Floats!;
        float[] bias = TestPool.Gaussian(random, 1, heads * queries, keys).Floats!;
        byte[] mask = [.. Enumerable.Range(0, batch * keys).Select(i => (byte)(i % keys == 0 || random.Next(4) > 0 ? 1 : 0))];
        using Tensor biasTensor = Upload(heads * queries, keys, bias);
        var shape = new AttentionShape
        {
            Batch = batch,
            QueryTokens = queries,
            KeyTokens = keys,
            Heads = heads,
            KeyValueHeads = keyHeads,
            HeadSize = size,
            Scale = 0.3f,
            Causal = causal,
            Window = window,
            Bias = biasTensor,
            KeyMask = causal ? null : mask,
        };
        using Tensor qt = Upload(batch * queries, heads * size, q), kt = Upload(batch * keys, keyHeads * size, k);
        using Tensor vt = Upload(batch * keys, keyHeads * size, v), result = Cpu.Rent(batch * queries, heads * size);
        Cpu.Attention(qt, kt, vt, shape, result);
        float[] actual = Download(result);
        for (int b = 0; b < batch; b++)
        {
            for (int h = 0; h < heads; h++)
            {
                int kh = h / (heads / keyHeads);
                for (int i = 0; i < queries; i++)
                {
                    int last = i + keys - queries;
                    double[] scores = [.. Enumerable.Range(0, keys).Select(j =>
                        (causal && (j > last || (window > 0 && j <= last - window))) || (!causal && mask[(b * keys) + j] == 0)
                            ? double.NegativeInfinity
                            : (0.3 * Enumerable.Range(0, size).Sum(c => (double)q[((((b * queries) + i) * heads) + h) * size + c] * k[((((b * keys) + j) * keyHeads) + kh) * size + c]))
                                + bias[(((h * queries) + i) * keys) + j])];
                    double max = scores.Max(), sum = scores.Sum(s => Math.Exp(s - max));
                    for (int c = 0; c < size; c++)
                    {
                        double expected = Enumerable.Range(0, keys).Sum(j => Math.Exp(scores[j] - max) / sum * v[((((b * keys) + j) * keyHeads) + kh) * size + c]);
                        Assert.AreEqual(expected, actual[((((b * queries) + i) * heads) + h) * size + c], 1e-5);
                    }
                }
            }
        }
    }

    [TestMethod]
    public void PatchesAreChannelsOfRows()
    {
        // One image of 2 channels, 4x4 pixels, patches of 2: pixel values are their own indices.
        using Tensor images = Upload(1, 32, [.. Enumerable.Range(0, 32).Select(i => (float)i)]), patches = Cpu.Rent(4, 8);
        Cpu.ExtractPatches(images, new PatchGeometry(2, 4, 2), patches);
        CollectionAssert.AreEqual(
            new float[]
            {
                0, 1, 4, 5, 16, 17, 20, 21, 2, 3, 6, 7, 18, 19, 22, 23, 8, 9, 12, 13, 24, 25, 28, 29, 10, 11, 14, 15, 26, 27, 30, 31,
            },
            Download(patches));
    }

    [TestMethod]
    public void AWarmedUpCacheGivesTheSameMemoryAgain()
    {
        using var backend = new CpuBackend(threads: 1);
        var first = (CpuTensor)backend.Rent(100, 77);
        unsafe
        {
            float* pointer = first.Pointer;
            first.Dispose();
            first.Dispose();
            using var second = (CpuTensor)backend.Rent(77, 100);
            using var third = (CpuTensor)backend.Rent(77, 100);
            Assert.IsTrue(pointer == second.Pointer, "the same block");
            Assert.IsTrue(pointer != third.Pointer, "disposing twice gave one block to two");
        }
    }

    [TestMethod]
    public void CapacitiesHoldWhatIsAskedFor()
    {
        using var cache = new TensorCache();
        for (int length = 1; length < 70000; length += 1 + (length / 50))
        {
            using CpuTensor tensor = cache.Rent(1, length);
            long capacity = TensorCache.Capacity(tensor.SizeClass);
            Assert.IsTrue(capacity >= length && capacity <= Math.Max(256, length * 1.26), $"{capacity} for {length}");
        }
    }

    private static double Reference(Activation activation, double x) => activation switch
    {
        Activation.Relu => Math.Max(0, x),
        Activation.Gelu => x * 0.5 * (1 + Erf(x / Math.Sqrt(2))),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        Activation.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        _ => Math.Tanh(x),
    };

    /// <summary>The error function: its series near 0, the continued fraction of erfc beyond.</summary>
    private static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a > 2.5)
        {
            double fraction = 0;
            for (int i = 60; i > 0; i--)
            {
                fraction = i / 2.0 / (a + fraction);
            }

            return Math.Sign(x) * (1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)));
        }

        double term = x, sum = x;
        for (int n = 1; n < 80; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private static Tensor Upload(int rows, int columns, float[] values)
    {
        Tensor tensor = Cpu.Rent(rows, columns);
        Cpu.Upload(values, tensor);
        return tensor;
    }

    private static float[] Download(Tensor tensor)
    {
        var values = new float[tensor.Length];
        Cpu.Download(tensor, values);
        return values;
    }

    private static float[] OnBackend(int rows, int columns, float[] values, Action<Tensor> operation)
    {
        using Tensor tensor = Upload(rows, columns, values);
        operation(tensor);
        return Download(tensor);
    }
}
