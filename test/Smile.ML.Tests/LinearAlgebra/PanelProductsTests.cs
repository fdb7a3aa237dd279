using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Tests.LinearAlgebra;

[TestClass]
public sealed class PanelProductsTests
{
    private static readonly WorkerPool Pool = new(3);
    private static readonly WorkerPool One = new(1);

    private static Arbitrary<(int Rows, int Left, int Right, int Seed)> Shapes { get; } =
        (from rows in Gen.Choose(1, 500)
         from left in Gen.Choose(0, 150)
         from right in Gen.Choose(0, 40)
         from seed in Gen.Choose(0, 1000)
         select (rows, left, right, seed)).ToArbitrary();

    [TestMethod]
    public void InnerProductsAreThoseOfTheColumns() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(Shapes, shape =>
    {
        using Matrix x = RandomMatrix.Uniform(shape.Rows, shape.Left, (ulong)shape.Seed);
        using Matrix z = RandomMatrix.Uniform(shape.Rows, shape.Right, (ulong)shape.Seed + 1);
        using PanelMatrix left = Panels(x, Pool, out _);
        using PanelMatrix right = Panels(z, Pool, out _);
        AssertSame(
            (shape.Left, shape.Right),
            (i, j) => Enumerable.Range(0, shape.Rows).Sum(row => (double)x.Row(row)[i] * z.Row(row)[j]),
            1e-7 * (shape.Rows + 10),
            [.. Variants((pool, bits) => PanelProducts.InnerProducts(left, right, pool, bits))]);
    }));

    [TestMethod]
    public void AProductIsAdded() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(Shapes, shape =>
    {
        using Matrix x = RandomMatrix.Uniform(shape.Rows, shape.Left, (ulong)shape.Seed);
        using Matrix c = RandomMatrix.Uniform(shape.Left, shape.Right, (ulong)shape.Seed + 1);
        using Matrix y = RandomMatrix.Uniform(shape.Rows, shape.Right, (ulong)shape.Seed + 2);
        using PanelMatrix left = Panels(x, Pool, out _);
        using PanelMatrix right = Panels(c, Pool, out _);
        AssertSame(
            (shape.Rows, shape.Right),
            (i, j) => y.Row(i)[j] + Enumerable.Range(0, shape.Left).Sum(k => (double)x.Row(i)[k] * c.Row(k)[j]),
            1e-7 * (shape.Left + 10),
            [.. Variants((pool, bits) =>
            {
                PanelMatrix sum = Panels(y, pool, out _);
                PanelProducts.Add(sum, left, right, pool, bits);
                return sum;
            })]);
    }));

    [TestMethod]
    public void AGramMatrixIsExactAndSymmetric() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(Shapes, shape =>
    {
        using Matrix x = RandomMatrix.Uniform(shape.Rows, shape.Left, (ulong)shape.Seed);
        using PanelMatrix panels = Panels(x, Pool, out double energy);
        Assert.AreEqual(x.View.Energy(), energy, 1e-12 * (energy + 1));
        double[][] whole = GramMatrix.Compute(panels);
        for (int i = 0; i < shape.Left; i++)
        {
            for (int j = 0; j < shape.Left; j++)
            {
                double expected = Enumerable.Range(0, shape.Rows).Sum(row => (double)x.Row(row)[i] * x.Row(row)[j]);
                Assert.AreEqual(expected, whole[i][j], 1e-15 * (shape.Rows + 10) * (shape.Rows + 10));
                Assert.AreEqual(whole[j][i], whole[i][j]);
            }
        }

        int start = shape.Left * 2 / 3;
        foreach (int bits in (int[])[512, 256, 128])
        {
            double[][] part = GramMatrix.Compute(panels, start, bits);
            Assert.HasCount(shape.Left - start, part);
            for (int i = start; i < shape.Left; i++)
            {
                Assert.IsTrue(whole[i].SequenceEqual(part[i - start]), $"row {i}, {bits} bits");
            }
        }
    }));

    [TestMethod]
    public void ColumnsAreAppendedTruncatedAndTransposed() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(Shapes, shape =>
    {
        using Matrix x = RandomMatrix.Uniform(shape.Rows, shape.Left, (ulong)shape.Seed);
        using Matrix z = RandomMatrix.Uniform(shape.Rows, shape.Right, (ulong)shape.Seed + 1);
        using PanelMatrix columns = Panels(x, Pool, out _);
        using PanelMatrix others = Panels(z, Pool, out _);
        columns.Append(others);
        columns.Append(others);
        int kept = shape.Left + (shape.Right * 3 / 2);
        columns.Truncate(kept);
        Assert.AreEqual((shape.Rows, kept), (columns.Rows, columns.Columns));
        using Matrix rows = columns.Transpose();
        for (int j = 0; j < kept; j++)
        {
            for (int i = 0; i < shape.Rows; i++)
            {
                float expected = j < shape.Left ? x.Row(i)[j] : z.Row(i)[(j - shape.Left) % shape.Right];
                Assert.AreEqual(expected, rows.Row(j)[i]);
            }
        }

        AssertPaddingIsZero(columns);
    }));

    [TestMethod]
    public void WhatDoesNotFitIsRefused()
    {
        using var a = new PanelMatrix(20, 5);
        using var b = new PanelMatrix(21, 5);
        Assert.ThrowsExactly<ArgumentException>(() => PanelProducts.InnerProducts(a, b, One));
        Assert.ThrowsExactly<ArgumentException>(() => PanelProducts.Multiply(a, b, One));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => a.Truncate(6));
        Assert.ThrowsExactly<ArgumentException>(() => a.Append(b));
    }

    private static PanelMatrix Panels(Matrix matrix, WorkerPool pool, out double energy)
        => PanelMatrix.FromRows(matrix.Rows, matrix.Columns, matrix, pool, out energy);

    private static IEnumerable<PanelMatrix> Variants(Func<WorkerPool, int, PanelMatrix> compute)
        => from pool in (WorkerPool[])[One, Pool] from bits in (int[])[512, 256, 128] select compute(pool, bits);

    private static unsafe void AssertSame((int Rows, int Columns) shape, Func<int, int, double> expected, double tolerance, PanelMatrix[] results)
    {
        using Matrix first = results[0].Transpose();
        Assert.AreEqual(shape, (results[0].Rows, results[0].Columns));
        for (int i = 0; i < shape.Rows; i++)
        {
            for (int j = 0; j < shape.Columns; j++)
            {
                Assert.AreEqual(expected(i, j), first.Row(j)[i], tolerance, $"[{i}, {j}]");
            }
        }

        foreach (PanelMatrix result in results)
        {
            using (result)
            {
                using Matrix other = result.Transpose();
                Assert.IsTrue(MemoryMarshal.AsBytes(first.Span).SequenceEqual(MemoryMarshal.AsBytes(other.Span)));
                AssertPaddingIsZero(result);
            }
        }
    }

    private static unsafe void AssertPaddingIsZero(PanelMatrix matrix)
    {
        for (int panel = 0; panel < matrix.PanelCount; panel++)
        {
            for (int row = 0; row < matrix.PaddedRows; row++)
            {
                int used = row < matrix.Rows ? matrix.Row(panel, row).Length : 0;
                var padding = new ReadOnlySpan<float>(matrix.Panel(panel) + (row * PanelLayout.Width) + used, PanelLayout.Width - used);
                Assert.IsFalse(padding.ContainsAnyExcept(0f), $"panel {panel}, row {row}");
            }
        }
    }
}
