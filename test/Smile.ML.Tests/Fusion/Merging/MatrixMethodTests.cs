using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>The methods that take linear layers' weights as matrices, each against its formula in float64.</summary>
[TestClass]
public class MatrixMethodTests
{
    // The methods store vectors in float32.
    private const double Tolerance = 2e-5;

    [TestMethod]
    [DataRow(12, 9)]
    [DataRow(7, 10)]
    public void TaskSingularVectorsAreMadeOrthogonal(int outputs, int inputs)
    {
        using SmallPool pool = SmallPool.Random(20, experts: 3, outputs, inputs);
        int perTask = Math.Min(outputs, inputs) / 3;
        var parts = pool.Deltas().Select(Dense.Svd).ToList();
        double[,] u = Dense.SideBySide(parts.Select(part => Dense.Columns(part.U, 0, perTask)));
        double[,] v = Dense.SideBySide(parts.Select(part => Dense.Columns(part.V, 0, perTask)));
        double[] s = [.. parts.SelectMany(part => part.S.Take(perTask))];
        Check(pool, new TaskSingularVectors { Scale = 0.9 }, 0.9, Dense.MultiplyOut(Dense.PolarFactor(u), s, Dense.PolarFactor(v)));
    }

    [TestMethod]
    [DataRow(12, 9)]
    [DataRow(7, 10)]
    public void IsoCMakesTheSpectrumFlat(int outputs, int inputs)
    {
        using SmallPool pool = SmallPool.Random(21, experts: 3, outputs, inputs);
        (double[,] u, double[] s, double[,] v) = Dense.Svd(Dense.Sum(pool.Deltas()));
        Check(pool, new IsoC { Scale = 1.5 }, 1.5, Dense.MultiplyOut(u, [.. s.Select(_ => s.Average())], v));
    }

    [TestMethod]
    [DataRow(12, 10, 0.8, 8)]
    [DataRow(10, 13, 0.35, 2)]
    [DataRow(10, 13, 1.0, 10)]
    public void IsoCtsFillsTheWeakDirectionsFromTheTasks(int outputs, int inputs, double share, int common)
    {
        using SmallPool pool = SmallPool.Random(22, experts: 2, outputs, inputs);
        int perTask = (Math.Min(outputs, inputs) - common) / 2;
        (double[,] u, double[] s, double[,] v) = Dense.Svd(Dense.Sum(pool.Deltas()));
        double[,] shared = Dense.Columns(u, 0, common);
        double[,] projector = Dense.Multiply(shared, Dense.Transpose(shared));
        var own = pool.Deltas().Select(delta => Dense.Svd(Dense.Add(delta, Dense.Multiply(projector, delta), -1))).ToList();
        double[,] allU = Dense.SideBySide([shared, .. own.Select(part => Dense.Columns(part.U, 0, perTask))]);
        double[,] allV = Dense.SideBySide([Dense.Columns(v, 0, common), .. own.Select(part => Dense.Columns(part.V, 0, perTask))]);
        double[] allS = [.. s.Take(common), .. own.SelectMany(part => part.S.Take(perTask))];
        double[,] expected = Dense.MultiplyOut(Dense.PolarFactor(allU), [.. allS.Select(_ => allS.Average())], Dense.PolarFactor(allV));
        Check(pool, new IsoCts { Common = share, Scale = 1.2 }, 1.2, expected);
    }

    [TestMethod]
    public void IsoCtsTakesNoDirectionsFromNoise()
    {
        // The common directions hold the two tasks, of rank 1 each, whole.
        using SmallPool pool = SmallPool.Random(29, experts: 2, outputs: 12, inputs: 10);
        var random = new Random(29);
        foreach (Dictionary<string, HostTensor> expert in pool.Models[1..])
        {
            pool.Models[0][SmallPool.Weight].Floats!.CopyTo(expert[SmallPool.Weight].Floats!, 0);
            TestAdapter.Merge(expert[SmallPool.Weight], TestPool.Gaussian(random, 1, 12, 1), TestPool.Gaussian(random, 1, 1, 10), 1);
        }

        using SmallPool lowRank = SmallPool.Around(pool.Models[0], pool.Models[1..]);
        double[] expected = [.. lowRank.Merge(new IsoC())[SmallPool.Weight].Select(value => (double)value)];
        MergeAssert.AreClose(expected, lowRank.Merge(new IsoCts())[SmallPool.Weight], 1e-5, "weight");
    }

    [TestMethod]
    [DataRow(AgreeingEntries.Sum)]
    [DataRow(AgreeingEntries.Mean)]
    public void KnotsMergesInTheJointBasis(AgreeingEntries agreeing)
    {
        using SmallPool pool = SmallPool.Random(23, experts: 3, outputs: 6, inputs: 8);
        (double[,] u, double[] s, double[,] v) = Dense.Svd(Dense.SideBySide(pool.Deltas()));
        double[][,] parts = [.. Enumerable.Range(0, 3).Select(t => Dense.Columns(Dense.Transpose(v), t * 8, 8))];
        double[] thresholds = [.. parts.Select(part => part.Cast<double>().Select(Math.Abs).OrderDescending().ElementAt((int)Math.Round(0.4 * 48) - 1))];
        double[,] merged = Dense.Generate(6, 8, (i, j) =>
        {
            double[] kept = [.. parts.Zip(thresholds, (part, threshold) => Math.Abs(part[i, j]) >= threshold * (1 - 1e-6) ? part[i, j] : 0)];
            double[] agree = [.. kept.Where(value => value * kept.Sum() > 0)];
            return agreeing == AgreeingEntries.Sum ? agree.Sum() : agree.DefaultIfEmpty().Average();
        });
        Check(pool, new Knots { Keep = 0.4, Agreeing = agreeing, Scale = 1 }, 1, Dense.MultiplyOut(u, s, Dense.Transpose(merged)));
    }

    [TestMethod]
    public void KnotsTakesTheTaskOfTheOnlyExpertThatChangedALayer()
    {
        using SmallPool pool = SmallPool.Random(25, experts: 1, outputs: 20, inputs: 20);
        using ModelPool both = ModelPool.Open(
            Path.Combine(pool.Folder, ModelPool.PretrainedFolder),
            [
                KeyValuePair.Create("unchanged", Path.Combine(pool.Folder, ModelPool.PretrainedFolder)),
                KeyValuePair.Create("changed", pool.Pool.Experts[0].Location),
            ]);
        using ITensorSource merged = new Knots { Keep = 1 }.Merge(both);
        float[] expected = pool.Models[1][SmallPool.Weight].Floats!, actual = merged.ReadFloats(SmallPool.Weight);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.AreEqual(expected[i], actual[i], 1e-6);
        }
    }

    [TestMethod]
    public void KnotsLeavesInputsToTheTaskThatChangedThem()
    {
        using SmallPool pool = SeparateInputs(26, outputs: 6, inputs: 8);
        Check(pool, new Knots { Keep = 1, Agreeing = AgreeingEntries.Mean, Scale = 1 }, 1, Dense.Sum(pool.Deltas()));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1e-3)]
    [DataRow(0.5)]
    public void WudiSolvesItsNormalEquations(double damping)
    {
        // 3 x 5 outputs span all 12 inputs, so that S is regular: D (S + mu) = R + mu M. The trace of S is the number of tasks.
        using SmallPool pool = SmallPool.Random(24, experts: 3, outputs: 5, inputs: 12);
        double mu = damping * 3 / 12;
        double[,] s = Dense.Sum(pool.Deltas().Select(d => Scaled(Dense.Multiply(Dense.Transpose(d), d), 1 / Dense.Energy(d))));
        double[,] r = Dense.Sum(pool.Deltas().Select(d => Scaled(Dense.Multiply(d, Dense.Multiply(Dense.Transpose(d), d)), 1 / Dense.Energy(d))));
        (double[,] u, double[] values, double[,] v) = Dense.Svd(s);
        double[,] inverse = Dense.MultiplyOut(v, [.. values.Select(value => 1 / (value + mu))], u);
        double[,] expected = Dense.Multiply(Dense.Add(r, Dense.Sum(pool.Deltas()), mu / 3), inverse);
        Check(pool, new Wudi { Scale = 0.8, Damping = damping }, 0.8, expected);
    }

    [TestMethod]
    public void WudiStaysNearTheTasksWhereTheirOutputsAreAsManyAsTheInputs()
    {
        using SmallPool pool = SmallPool.Random(31, experts: 2, outputs: 20, inputs: 40);
        float[] merged = pool.Merge(new Wudi())[SmallPool.Weight];
        double energy = merged.Zip(pool.Theta(-1, SmallPool.Weight), (value, before) => (value - before) * (value - before)).Sum();
        Assert.IsLessThan(15 * Dense.Energy(Dense.Sum(pool.Deltas())), energy);
    }

    [TestMethod]
    public void WudiOfTasksWithSeparateInputsIsTheirSum()
    {
        // S is singular, and nothing interferes.
        using SmallPool pool = SeparateInputs(25, outputs: 4, inputs: 8);
        Check(pool, new Wudi { Damping = 0 }, 1, Dense.Sum(pool.Deltas()));
    }

    [TestMethod]
    public void SubspaceBoostingRaisesSmallSingularValues()
    {
        using SmallPool pool = SmallPool.Random(26, experts: 3, outputs: 7, inputs: 9);
        (double[,] u, double[] s, double[,] v) = Dense.Svd(Scaled(Dense.Sum(pool.Deltas()), 0.5));
        int cut = Enumerable.Range(1, s.Length).First(count => s.Take(count).Sum() / s.Sum() >= 0.6) - 1;
        Assert.IsGreaterThan(0, cut);
        CheckLayer(
            pool,
            new SubspaceBoosting { Over = new TaskArithmetic { Scale = 0.5 }, Beta = 0.6 },
            Dense.MultiplyOut(u, [.. s.Select(value => Math.Max(value, s[cut]))], v));
    }

    [TestMethod]
    public void SubspaceBoostingRaisesNoRoundingErrorsOfAdapters()
    {
        using SmallPool pool = SmallPool.Random(30, experts: 1, outputs: 12, inputs: 10);
        using var folder = new TemporaryFolder();
        Dictionary<string, HostTensor> factors = TestAdapter.Factors(new Random(30), "layers.0", 12, 10, rank: 1);
        TestAdapter.Write(folder["small"], TestAdapter.Config(("r", 1), ("lora_alpha", 1e-4), ("target_modules", "all-linear")), factors);
        using ModelPool adapters = ModelPool.Open(Path.Combine(pool.Folder, ModelPool.PretrainedFolder), [KeyValuePair.Create("small", folder["small"])]);

        // All values of a delta of rank 1 are the largest one already.
        using ITensorSource expected = new LoraCat().Merge(adapters);
        using ITensorSource boosted = new SubspaceBoosting { Over = new TaskArithmetic { Scale = 1 } }.Merge(adapters);
        MergeAssert.AreClose(expected.ReadFloats(SmallPool.Weight).Select(value => (double)value), boosted.ReadFloats(SmallPool.Weight), 1e-6, "weight");
    }

    [TestMethod]
    public void SingularValueCalibrationDividesByTheMeanCoefficient()
    {
        using SmallPool pool = SmallPool.Random(27, experts: 3, outputs: 7, inputs: 9);
        double[,] merged = Scaled(Dense.Sum(pool.Deltas()), 0.5);
        (double[,] u, double[] s, double[,] v) = Dense.Svd(merged);
        double[,] response = Dense.Multiply(Dense.Transpose(u), merged);
        double[] calibrated = [.. s];
        for (int r = 0; r < s.Length; r++)
        {
            double sum = 0;
            foreach (double[,] delta in pool.Deltas())
            {
                double[,] own = Dense.Multiply(Dense.Transpose(u), delta);
                double product = Enumerable.Range(0, 9).Sum(j => response[r, j] * own[r, j]);
                sum += Math.Max(0.3, product / Enumerable.Range(0, 9).Sum(j => own[r, j] * own[r, j]));
            }

            calibrated[r] = s[r] * 3 / sum;
        }

        CheckLayer(
            pool, new SingularValueCalibration { Over = new TaskArithmetic { Scale = 0.5 }, Alpha = 0.3 }, Dense.MultiplyOut(u, calibrated, v));
    }

    [TestMethod]
    public void SingularValueCalibrationTakesNoResponseFromNoise()
    {
        // Every task has a direction of its own, so of its coefficients one is 1 and the others are 0, which count as alpha.
        const int Size = 12, Tasks = 6;
        double[,] left = Reflection(1), right = Reflection(2);
        using SmallPool pool = SmallPool.Around(
            Model((_, _) => 0), [.. Enumerable.Range(0, Tasks).Select(t => Model((i, j) => (t + 1) * left[i, t] * right[j, t]))]);
        CheckLayer(
            pool,
            new SingularValueCalibration { Over = new TaskArithmetic { Scale = 1 }, Alpha = 0.25 },
            Scaled(Dense.Sum(pool.Deltas()), Tasks / (1 + ((Tasks - 1) * 0.25))));

        static Dictionary<string, HostTensor> Model(Func<int, int, double> weight) => new()
        {
            [SmallPool.Weight] = HostTensor.FromFloats([Size, Size], [.. Dense.Generate(Size, Size, weight).Cast<double>().Select(value => (float)value)]),
        };

        // I - 2 w w^T / ||w||^2, which is orthogonal.
        static double[,] Reflection(int first)
        {
            double energy = Enumerable.Range(first, Size).Sum(w => w * w);
            return Dense.Generate(Size, Size, (i, j) => (i == j ? 1 : 0) - (2 * (first + i) * (first + j) / energy));
        }
    }

    [TestMethod]
    public void AdjustedMergesLeaveOtherTensorsAlone()
    {
        using SmallPool pool = SmallPool.Random(28, experts: 3);
        float[] expected = pool.Merge(new Ties())[SmallPool.Bias];
        CollectionAssert.AreEqual(expected, pool.Merge(new SubspaceBoosting { Over = new Ties() })[SmallPool.Bias]);
        CollectionAssert.AreEqual(expected, pool.Merge(new SingularValueCalibration { Over = new Ties() })[SmallPool.Bias]);
    }

    /// <summary>Two tasks that changed three inputs of their own each.</summary>
    private static SmallPool SeparateInputs(int seed, int outputs, int inputs)
    {
        using SmallPool random = SmallPool.Random(seed, experts: 2, outputs, inputs);
        for (int expert = 0; expert < 2; expert++)
        {
            float[] values = random.Models[expert + 1][SmallPool.Weight].Floats!;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = i % inputs / 3 == expert ? values[i] : random.Models[0][SmallPool.Weight].Floats![i];
            }
        }

        return SmallPool.Around(random.Models[0], random.Models[1..]);
    }

    private static double[,] Scaled(double[,] a, double factor) => Dense.Generate(a.GetLength(0), a.GetLength(1), (i, j) => factor * a[i, j]);

    /// <summary>Checks the layer's weight, and that its bias is moved by the scaled mean.</summary>
    private static void Check(SmallPool pool, MergeMethod method, double scale, double[,] delta)
    {
        CheckLayer(pool, method, Scaled(delta, scale));
        IEnumerable<double> bias = pool.Theta(-1, SmallPool.Bias).Select((value, i) => value + scale * pool.Taus(SmallPool.Bias).Average(tau => tau[i]));
        MergeAssert.AreClose(bias, pool.Merge(method)[SmallPool.Bias], 1e-6, $"{method}: bias");
    }

    private static void CheckLayer(SmallPool pool, MergeMethod method, double[,] delta)
        => MergeAssert.AreClose(
            pool.Theta(-1, SmallPool.Weight).Zip(delta.Cast<double>(), (value, step) => value + step),
            pool.Merge(method)[SmallPool.Weight],
            Tolerance,
            $"{method}: weight");
}
