using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Tests.LinearAlgebra;

[TestClass]
public sealed class TruncatedSvdTests
{
    private static readonly WorkerPool Pool = new(2);

    [TestMethod]
    public void SmallMatricesAreExact()
    {
        Gen<(int Rows, int Columns, int Signal, int Seed)> cases =
            from rows in Gen.Choose(1, 45)
            from columns in Gen.Choose(1, 45)
            from signal in Gen.Choose(1, 6)
            from seed in Gen.Choose(0, 1000)
            select (rows, columns, signal, seed);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(cases.ToArbitrary(), x =>
        {
            double[] spectrum = [.. Enumerable.Range(0, x.Signal).Select(i => Math.Pow(10, -i))];
            using Matrix a = RandomMatrix.WithSpectrum(x.Rows, x.Columns, spectrum, 1e-6, (ulong)x.Seed);
            int rank = Math.Min(x.Rows, x.Columns);
            using TruncatedSvd svd = TruncatedSvd.Compute(a, rank, Pool, keepNullSpace: true);
            double[] expected = ReferenceSvd.SingularValues(a);
            Assert.AreEqual(rank, svd.Rank);
            for (int i = 0; i < rank; i++)
            {
                Assert.AreEqual(expected[i], svd.SingularValues[i], 1e-13 * expected[0]);
            }

            AssertWellFormed(svd);
            AssertNearOptimal(a, svd, expected);
        }));
    }

    // Rank 4 and noise, cut where the singular values lie close together.
    [TestMethod]
    [DataRow(10, 28, 6)]
    [DataRow(28, 10, 4)]
    [DataRow(64, 32, 8)]
    [DataRow(64, 32, 32)]
    [DataRow(96, 128, 16)]
    [DataRow(130, 400, 6)]
    [DataRow(200, 160, 8)]
    [DataRow(256, 256, 40)]
    public void SignalAndNoiseMatchFloat64(int rows, int columns, int rank)
    {
        using Matrix a = RandomMatrix.WithSpectrum(rows, columns, [4, 3, 2, 1], 2e-4, 7);
        using TruncatedSvd svd = TruncatedSvd.Compute(a, rank, Pool);
        double[] expected = ReferenceSvd.SingularValues(a);
        Assert.AreEqual(rank, svd.Rank);
        for (int i = 0; i < rank; i++)
        {
            Assert.AreEqual(expected[i], svd.SingularValues[i], 1e-12 * expected[0]);
        }

        AssertWellFormed(svd);
        AssertNearOptimal(a, svd, expected);

        // Each vector by itself, those within the noise too: A v = s u, and A^T u = s v.
        using Matrix transpose = a.Transpose();
        for (int i = 0; i < rank; i++)
        {
            AssertMaps(a, svd.RightTransposed.Row(i), svd.SingularValues[i], svd.LeftTransposed.Row(i), 1e-6 * expected[0]);
            AssertMaps(transpose, svd.LeftTransposed.Row(i), svd.SingularValues[i], svd.RightTransposed.Row(i), 1e-6 * expected[0]);
        }

        static void AssertMaps(Matrix matrix, ReadOnlySpan<float> from, double factor, ReadOnlySpan<float> to, double tolerance)
        {
            for (int row = 0; row < matrix.Rows; row++)
            {
                double product = 0;
                for (int j = 0; j < from.Length; j++)
                {
                    product += (double)matrix.Row(row)[j] * from[j];
                }

                Assert.AreEqual(factor * to[row], product, tolerance);
            }
        }
    }

    [TestMethod]
    [DataRow(320, 270, 16, "fast")]
    [DataRow(320, 270, 40, "fast")]
    [DataRow(260, 400, 16, "slow")]
    [DataRow(300, 260, 50, "slow")]
    [DataRow(270, 300, 8, "flat")]
    [DataRow(300, 260, 33, "flat")]
    [DataRow(300, 260, 24, "low rank and noise")]
    public void LargeMatricesAreNearlyOptimal(int rows, int columns, int rank, string kind)
    {
        using Matrix a = WithKind(rows, columns, kind);
        using TruncatedSvd svd = TruncatedSvd.Compute(a, rank, Pool);
        double[] expected = ReferenceSvd.SingularValues(a);
        Assert.AreEqual(rank, svd.Rank);
        AssertWellFormed(svd);
        AssertNearOptimal(a, svd, expected);
        for (int i = 0; i < rank; i++)
        {
            Assert.AreEqual(expected[i], svd.SingularValues[i], 1e-4 * expected[i]);
        }
    }

    [TestMethod]
    [DataRow(40, 0, 0.0, 32)]
    [DataRow(40, 140, 0.05, 32)]
    [DataRow(17, 150, 0.3, 17)]
    [DataRow(60, 100, 0.9, 48)]
    public void AMultipleSingularValueIsFoundAsOftenAsItIs(int multiplicity, int others, double largestOther, int rank)
    {
        double[] expected =
            [.. Enumerable.Repeat(1.0, multiplicity), .. Enumerable.Range(0, others).Select(i => largestOther * (1 - (i / (2.0 * others))))];
        using Matrix a = RandomMatrix.WithCosines(300, 270, expected);
        using TruncatedSvd svd = TruncatedSvd.Compute(a, rank, Pool);
        Assert.AreEqual(rank, svd.Rank);
        AssertWellFormed(svd);
        AssertNearOptimal(a, svd, expected);
        for (int i = 0; i < rank; i++)
        {
            Assert.AreEqual(expected[i], svd.SingularValues[i], 1e-6, $"value {i}");
        }
    }

    [TestMethod]
    [DataRow(40, 30, 10)]
    [DataRow(300, 200, 20)]
    [DataRow(400, 300, 20)]
    [DataRow(150, 300, 120)]
    public void ThreadsDoNotChangeABit(int rows, int columns, int rank)
    {
        using Matrix a = WithKind(rows, columns, "slow");
        using var one = new WorkerPool(1);
        using TruncatedSvd expected = TruncatedSvd.Compute(a, rank, one);
        foreach (int threads in (int[])[2, 5])
        {
            using var pool = new WorkerPool(threads);
            using TruncatedSvd actual = TruncatedSvd.Compute(a, rank, pool);
            AssertSameBits(expected, actual, 1);
        }
    }

    [TestMethod]
    [DataRow(12, 30, 5, -66)]
    [DataRow(12, 30, 5, 60)]
    [DataRow(200, 150, 16, -66)]
    [DataRow(200, 150, 16, 60)]
    [DataRow(400, 300, 16, -66)]
    [DataRow(400, 300, 16, 60)]
    public void AnyScaleGivesTheSameVectors(int rows, int columns, int rank, int exponent)
    {
        using Matrix a = WithKind(rows, columns, "slow");
        using var scaled = new Matrix(rows, columns);
        for (int i = 0; i < a.Span.Length; i++)
        {
            scaled.Span[i] = (float)Math.ScaleB(a.Span[i], exponent);
        }

        using TruncatedSvd expected = TruncatedSvd.Compute(a, rank, Pool);
        using TruncatedSvd actual = TruncatedSvd.Compute(scaled, rank, Pool);
        AssertSameBits(expected, actual, Math.ScaleB(1, exponent));
    }

    [TestMethod]
    [DataRow(20, 30)]
    [DataRow(200, 180)]
    [DataRow(300, 270)]
    public void AZeroMatrixHasNoDirections(int rows, int columns)
    {
        using var zero = new Matrix(rows, columns);
        using TruncatedSvd none = TruncatedSvd.Compute(zero, 8, Pool);
        Assert.AreEqual(0, none.Rank);
        Assert.AreEqual((0, rows), (none.LeftTransposed.Rows, none.LeftTransposed.Columns));
        Assert.AreEqual((0, columns), (none.RightTransposed.Rows, none.RightTransposed.Columns));

        using TruncatedSvd kept = TruncatedSvd.Compute(zero, 8, Pool, keepNullSpace: true);
        Assert.AreEqual(8, kept.Rank);
        Assert.IsTrue(kept.SingularValues.All(value => value == 0));
        AssertWellFormed(kept);
    }

    [TestMethod]
    [DataRow(30, 20, 3)]
    [DataRow(200, 150, 1)]
    [DataRow(150, 200, 5)]
    [DataRow(200, 150, 30)]
    [DataRow(300, 260, 1)]
    [DataRow(260, 300, 30)]
    public void TheRankIsClampedToTheNumericalOne(int rows, int columns, int trueRank)
    {
        // Small whole numbers: the product is exactly of this rank.
        using Matrix a = WholeNumbers(rows, columns, trueRank);
        int asked = Math.Min(trueRank + 20, Math.Min(rows, columns));
        using TruncatedSvd svd = TruncatedSvd.Compute(a, asked, Pool);
        Assert.AreEqual(trueRank, svd.Rank);
        AssertWellFormed(svd);
        AssertNearOptimal(a, svd, ReferenceSvd.SingularValues(a));

        using TruncatedSvd kept = TruncatedSvd.Compute(a, asked, Pool, keepNullSpace: true);
        Assert.AreEqual(asked, kept.Rank);
        AssertWellFormed(kept);
        Assert.IsTrue(kept.SingularValues[trueRank..].All(value => value <= 1e-12 * kept.SingularValues[0]));
        for (int i = 0; i < trueRank; i++)
        {
            Assert.AreEqual(svd.SingularValues[i], kept.SingularValues[i]);
        }
    }

    [TestMethod]
    [DataRow(64, 64)]
    [DataRow(300, 200)]
    [DataRow(400, 300)]
    public void RoundingOfTheWeightsDoesNotCountAsRank(int rows, int columns)
    {
        // A change of rank 3, read off the difference of two float32 weights twenty times as large.
        using Matrix change = RandomMatrix.WithSpectrum(rows, columns, [1, 0.8, 0.6], 0, 5);
        using Matrix pretrained = RandomMatrix.Uniform(rows, columns, 9);
        float factor = (float)(20 * 0.6 / Math.Sqrt((double)rows * columns));
        for (int i = 0; i < change.Span.Length; i++)
        {
            float before = factor * pretrained.Span[i];
            float after = before + change.Span[i];
            change.Span[i] = after - before;
        }

        using TruncatedSvd svd = TruncatedSvd.Compute(change, 16, Pool);
        Assert.AreEqual(3, svd.Rank);
    }

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(1, 500)]
    [DataRow(500, 1)]
    public void ASingleRowOrColumnIsItsOwnDirection(int rows, int columns)
    {
        using Matrix a = RandomMatrix.Uniform(rows, columns, 3);
        using TruncatedSvd svd = TruncatedSvd.Compute(a, 4, Pool);
        Assert.AreEqual(1, svd.Rank);
        Assert.AreEqual(Math.Sqrt(a.View.Energy()), svd.SingularValues[0], 1e-12);
        AssertWellFormed(svd);
        AssertNearOptimal(a, svd, [svd.SingularValues[0]]);
    }

    [TestMethod]
    public void NothingAskedNothingReturned()
    {
        using Matrix a = RandomMatrix.Uniform(5, 6, 3);
        using TruncatedSvd svd = TruncatedSvd.Compute(a, 0, Pool, keepNullSpace: true);
        Assert.AreEqual(0, svd.Rank);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => TruncatedSvd.Compute(a, -1, Pool));
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void WhatIsNotANumberIsRefused(float value)
    {
        foreach ((int rows, int columns) in ((int, int)[])[(5, 3), (200, 170)])
        {
            using Matrix a = RandomMatrix.Uniform(rows, columns, 3);
            using Matrix b = RandomMatrix.Uniform(4, rows, 3);
            a.Row(rows - 2)[columns / 2] = value;
            Assert.ThrowsExactly<ArgumentException>(() => TruncatedSvd.Compute(a, 2, Pool));
            Assert.ThrowsExactly<ArgumentException>(() => TruncatedSvd.OfProduct(b, a, 1, 2, Pool));
        }
    }

    [TestMethod]
    [DataRow(40, 4, 60, 0.5)]
    [DataRow(200, 16, 150, 2)]
    [DataRow(150, 8, 220, -1.25)]
    [DataRow(6, 20, 9, 1)]
    [DataRow(1, 1, 7, 3)]
    public void AProductDecomposesAsItsDenseForm(int rows, int inner, int columns, double scale)
    {
        using Matrix b = RandomMatrix.Uniform(rows, inner, 1);
        using Matrix a = RandomMatrix.Uniform(inner, columns, 2);
        using Matrix dense = Matrix.Multiply(b.View, a.View, Pool);
        foreach (ref float element in dense.Span)
        {
            element *= (float)scale;
        }

        int trueRank = Math.Min(inner, Math.Min(rows, columns));
        double[] expected = ReferenceSvd.SingularValues(dense);
        foreach (int rank in (int[])[Math.Max(1, trueRank / 2), trueRank + 3])
        {
            using TruncatedSvd svd = TruncatedSvd.OfProduct(b, a, scale, rank, Pool);
            using TruncatedSvd other = TruncatedSvd.Compute(dense, rank, Pool);
            Assert.AreEqual(Math.Min(rank, trueRank), svd.Rank);
            Assert.AreEqual(svd.Rank, other.Rank);
            AssertWellFormed(svd);
            AssertNearOptimal(dense, svd, expected);
            for (int i = 0; i < svd.Rank; i++)
            {
                Assert.AreEqual(expected[i], svd.SingularValues[i], 1e-6 * expected[0]);
            }
        }
    }

    [TestMethod]
    public void AProductMayBeZeroAndMustFit()
    {
        using var zero = new Matrix(30, 4);
        using Matrix a = RandomMatrix.Uniform(4, 20, 2);
        using TruncatedSvd svd = TruncatedSvd.OfProduct(zero, a, 1, 4, Pool);
        Assert.AreEqual(0, svd.Rank);
        using TruncatedSvd kept = TruncatedSvd.OfProduct(zero, a, 1, 6, Pool, keepNullSpace: true);
        Assert.AreEqual(6, kept.Rank);
        AssertWellFormed(kept);
        Assert.ThrowsExactly<ArgumentException>(() => TruncatedSvd.OfProduct(a, zero, 1, 4, Pool));
        Assert.ThrowsExactly<ArgumentException>(() => TruncatedSvd.OfProduct(zero, a, double.NaN, 4, Pool));
    }

    private static Matrix WithKind(int rows, int columns, string kind) => kind switch
    {
        "fast" => RandomMatrix.WithSpectrum(rows, columns, [.. Enumerable.Range(0, 60).Select(i => Math.Exp(-i / 8.0))], 1e-5, 1),
        "slow" => RandomMatrix.WithSpectrum(rows, columns, [.. Enumerable.Range(1, 70).Select(i => 1 / Math.Sqrt(i))], 1e-4, 2),
        "flat" => RandomMatrix.Uniform(rows, columns, 3),
        "low rank and noise" => RandomMatrix.WithSpectrum(rows, columns, [3, 2, 1], 2e-4, 4),
        _ => throw new ArgumentException(kind),
    };

    private static Matrix WholeNumbers(int rows, int columns, int rank)
    {
        using Matrix left = RandomMatrix.Uniform(rows, rank, 6);
        using Matrix right = RandomMatrix.Uniform(rank, columns, 7);
        foreach (Matrix factor in (Matrix[])[left, right])
        {
            foreach (ref float element in factor.Span)
            {
                element = MathF.Round(element * 20);
            }
        }

        return Matrix.Multiply(left.View, right.View, Pool);
    }

    private static void AssertWellFormed(TruncatedSvd svd)
    {
        for (int i = 0; i < svd.Rank; i++)
        {
            Assert.IsTrue(svd.SingularValues[i] >= 0 && (i == 0 || svd.SingularValues[i] <= svd.SingularValues[i - 1]), "order");
            float[] v = svd.RightTransposed.Row(i).ToArray();
            Assert.IsTrue(v.MaxBy(Math.Abs) > 0, "sign");
        }

        foreach (Matrix vectors in (Matrix[])[svd.LeftTransposed, svd.RightTransposed])
        {
            Assert.AreEqual(svd.Rank, vectors.Rows);
            for (int i = 0; i < vectors.Rows; i++)
            {
                for (int j = 0; j <= i; j++)
                {
                    double product = 0;
                    ReadOnlySpan<float> x = vectors.Row(i), y = vectors.Row(j);
                    for (int k = 0; k < x.Length; k++)
                    {
                        product += (double)x[k] * y[k];
                    }

                    Assert.AreEqual(i == j ? 1 : 0, product, 1e-6, $"vectors {i} and {j}");
                }
            }
        }
    }

    /// <summary>The residual is within 1e-5 of the best one that so many singular values allow, or a rounding error of the whole.</summary>
    private static void AssertNearOptimal(Matrix a, TruncatedSvd svd, double[] allValues)
    {
        double residual = 0;
        for (int i = 0; i < a.Rows; i++)
        {
            double[] row = [.. a.Row(i).ToArray().Select(x => (double)x)];
            for (int r = 0; r < svd.Rank; r++)
            {
                double weight = svd.SingularValues[r] * svd.LeftTransposed.Row(r)[i];
                Span<float> v = svd.RightTransposed.Row(r);
                for (int j = 0; j < row.Length; j++)
                {
                    row[j] -= weight * v[j];
                }
            }

            residual += row.Sum(x => x * x);
        }

        double best = Math.Sqrt(allValues.Skip(svd.Rank).Sum(x => x * x));
        double whole = Math.Sqrt(allValues.Sum(x => x * x));
        Assert.IsLessThanOrEqualTo((1 + 1e-5) * best + 1e-6 * whole, Math.Sqrt(residual));
    }

    private static void AssertSameBits(TruncatedSvd expected, TruncatedSvd actual, double scale)
    {
        Assert.AreEqual(expected.Rank, actual.Rank);
        for (int i = 0; i < expected.Rank; i++)
        {
            Assert.AreEqual(expected.SingularValues[i] * scale, actual.SingularValues[i]);
        }

        Assert.IsTrue(Bytes(expected.LeftTransposed).SequenceEqual(Bytes(actual.LeftTransposed)));
        Assert.IsTrue(Bytes(expected.RightTransposed).SequenceEqual(Bytes(actual.RightTransposed)));
    }

    private static Span<byte> Bytes(Matrix matrix) => MemoryMarshal.AsBytes(matrix.Span);
}
