using System.Numerics;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;
using Smile.ML.Networks.Decoders;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks.Decoders;

[TestClass]
public sealed class RotaryEmbeddingTests
{
    [TestMethod]
    [DataRow("{}", 10000.0, 1.0)]
    [DataRow("""{"rope_theta": 500000, "rope_scaling": null}""", 500000.0, 1.0)]
    [DataRow("""{"rope_theta": 500, "rope_scaling": {"type": "linear", "factor": 4.0}}""", 500.0, 4.0)]
    [DataRow("""{"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}}""", 77.0, 1.0)]
    public void FrequenciesArePowersOfTheta(string config, double theta, double divisor)
    {
        IReadOnlyList<double> frequencies = Read(config, 12).Frequencies;
        Assert.HasCount(6, frequencies);
        for (int i = 0; i < 6; i++)
        {
            Assert.AreEqual(Math.Pow(theta, -i / 6.0) / divisor, frequencies[i], 1e-15);
        }
    }

    /// <summary>Written as the model's authors give it: three cases by wavelength.</summary>
    [TestMethod]
    [DataRow(8.0, 1.0, 4.0, 8192, 500000.0)]
    [DataRow(32.0, 1.0, 4.0, 8192, 500000.0)]
    [DataRow(2.5, 2.0, 3.0, 100, 1000.0)]
    public void Llama3ScalesLongWavelengths(double factor, double low, double high, int context, double theta)
    {
        string config = FormattableString.Invariant(
            $$"""
            {"rope_theta": {{theta}}, "rope_scaling": {"rope_type": "llama3", "factor": {{factor}}, "low_freq_factor": {{low}},
              "high_freq_factor": {{high}}, "original_max_position_embeddings": {{context}} } }
            """);
        IReadOnlyList<double> frequencies = Read(config, 128).Frequencies;
        var cases = new HashSet<int>();
        for (int i = 0; i < 64; i++)
        {
            double plain = Math.Pow(theta, -i / 64.0);
            double wavelength = 2 * Math.PI / plain;
            double expected;
            if (wavelength < context / high)
            {
                cases.Add(0);
                expected = plain;
            }
            else if (wavelength > context / low)
            {
                cases.Add(1);
                expected = plain / factor;
            }
            else
            {
                cases.Add(2);
                double smooth = ((context / wavelength) - low) / (high - low);
                expected = ((1 - smooth) * plain / factor) + (smooth * plain);
            }

            Assert.AreEqual(expected, frequencies[i], 1e-14);
        }

        Assert.HasCount(3, cases);
    }

    /// <summary>
    /// Written as the paper has it, by the turns of a pair within the context, with the ramp between the whole indices that Hugging Face's
    /// implementation takes. Keys left out have its defaults.
    /// </summary>
    [TestMethod]
    [DataRow(4.0, 32768, 1000000.0, 128, "")]
    [DataRow(16.0, 4096, 10000.0, 64, "\"beta_fast\": 20, \"beta_slow\": 2, \"attention_factor\": 1.5,")]
    [DataRow(40.0, 4096, 10000.0, 64, "\"mscale\": 0.7, \"mscale_all_dim\": 1.0,")]
    public void YarnDividesWhatTurnsSeldom(double factor, int context, double theta, int size, string more)
    {
        string config = FormattableString.Invariant(
            $$"""
            {"rope_theta": {{theta}}, "max_position_embeddings": {{context}}, "rope_scaling": {"rope_type": "yarn", {{more}} "factor": {{factor}}} }
            """);
        RotaryEmbedding rotary = Read(config, size);
        (double fast, double slow) = more.Contains("beta", StringComparison.Ordinal) ? (20, 2) : (32, 1);
        double[] plain = [.. Enumerable.Range(0, size / 2).Select(i => Math.Pow(theta, -2.0 * i / size))];

        // The last pair that turns as often as that, and the first that turns as seldom.
        int first = plain.ToList().FindLastIndex(frequency => context * frequency / (2 * Math.PI) >= fast);
        int last = plain.ToList().FindIndex(frequency => context * frequency / (2 * Math.PI) <= slow);
        Assert.IsTrue(first > 0 && last > first + 2 && last < plain.Length);
        for (int i = 0; i < plain.Length; i++)
        {
            double share = i <= first ? 0 : i >= last ? 1 : (double)(i - first) / (last - first);
            Assert.AreEqual((share * plain[i] / factor) + ((1 - share) * plain[i]), rotary.Frequencies[i], 1e-14);
        }

        double expected = more.Contains("attention_factor", StringComparison.Ordinal) ? 1.5
            : more.Contains("mscale", StringComparison.Ordinal) ? (1 + (0.07 * Math.Log(40))) / (1 + (0.1 * Math.Log(40)))
            : 1 + (0.1 * Math.Log(factor));
        Assert.AreEqual(expected, rotary.Magnitude, 1e-14);

        using var backend = new CpuBackend(threads: 1);
        using Tensor angles = rotary.Angles(new ForwardPass(backend), [3]);
        var values = new float[size];
        backend.Download(angles, values);
        Assert.AreEqual(expected * Math.Cos(3 * rotary.Frequencies[1]), values[1], 1e-6);
        Assert.AreEqual(expected * Math.Sin(3 * rotary.Frequencies[1]), values[(size / 2) + 1], 1e-6);
    }

    [TestMethod]
    [DataRow(2, 8)]
    [DataRow(3, 20)]
    [DataRow(1, 66)]
    public void RotatesPairsOfHalvesAsComplexNumbers(int heads, int size)
    {
        using var backend = new CpuBackend(threads: 2);
        var pass = new ForwardPass(backend);
        int[] positions = [0, 1, 5, 300];
        float[] values = TestPool.Gaussian(new Random(size), 1, 2 * positions.Length, heads * size).Floats!;
        var rotary = Read("{}", size);
        using Tensor angles = rotary.Angles(pass, positions);
        using Tensor tensor = backend.Rent(2 * positions.Length, heads * size);
        backend.Upload(values, tensor);
        backend.Rotate(tensor, angles);
        var actual = new float[values.Length];
        backend.Download(tensor, actual);
        for (int row = 0; row < 2 * positions.Length; row++)
        {
            for (int i = 0; i < heads * size / 2; i++)
            {
                int first = (row * heads * size) + (i / (size / 2) * size) + (i % (size / 2));
                int second = first + (size / 2);
                Complex turned = new Complex(values[first], values[second])
                    * Complex.FromPolarCoordinates(1, positions[row % positions.Length] * rotary.Frequencies[i % (size / 2)]);
                Assert.AreEqual(turned.Real, actual[first], 1e-6);
                Assert.AreEqual(turned.Imaginary, actual[second], 1e-6);
            }
        }
    }

    [TestMethod]
    public void RefusesFactorsThatDoNotFit()
    {
        const string Scaling =
            """{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 64}}""";
        Assert.Contains("high_freq_factor is 4", Assert.ThrowsExactly<SmileException>(() => Read(Scaling, 8)).Message, StringComparison.Ordinal);
        const string Missing = """{"rope_scaling": {"rope_type": "llama3", "factor": 8}}""";
        Assert.Contains("'low_freq_factor'", Assert.ThrowsExactly<SmileException>(() => Read(Missing, 8)).Message, StringComparison.Ordinal);
    }

    private static RotaryEmbedding Read(string config, int headSize) => RotaryEmbedding.Read(ModelConfig.Parse(config, "config.json"), headSize);
}
