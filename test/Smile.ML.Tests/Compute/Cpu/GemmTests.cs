using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.VisualStudio.TestTools.UnitTesting;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Tests.LinearAlgebra;

namespace Smile.ML.Tests.Compute.Cpu;

[TestClass]
public sealed unsafe class GemmTests
{
    private static readonly int[] VectorBits = [512, 256, 128];
    private static readonly int[] PanelWidths = [16, 32];

    private static readonly (WeightFormat Format, Func<float, float> Round)[] Formats =
    [
        (WeightFormat.BFloat16, value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000)),
        (WeightFormat.Float16, value => (float)(Half)value),
    ];

    [TestMethod]
    public void MatchesFloat64AtAnyShapeAndVectorWidth()
    {
        Gen<Shape> shapes =
            from rows in Gen.Frequency((7, Gen.Choose(0, 50)), (1, Gen.Constant(243)))
            from columns in Gen.OneOf(Gen.Choose(0, 100), Gen.Elements(16, 32))
            from depth in Gen.Frequency((3, Gen.Choose(0, 70)), (1, Gen.Elements(255, 256, 257, 767, 768, 769, 1601)))
            from bias in Gen.Elements(true, false)
            from accumulate in Gen.Elements(true, false)
            from gap in Gen.Choose(0, 3)
            from panel in Gen.Elements(PanelWidths)
            select new Shape(rows, columns, depth, bias, accumulate, gap, panel);
        using var pool = new WorkerPool(2);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(100), Prop.ForAll(shapes.ToArbitrary(), shape => MatchesFloat64(shape, pool)));
    }

    [TestMethod]
    public void SeveralOutputsEqualSeparateProducts()
    {
        using var pool = new WorkerPool(3);
        using Matrix a = RandomMatrix.Uniform(53, 800, 1);
        int[] columns = [70, 16, 5, 128, 33];
        Matrix[] weights = [.. columns.Select((n, i) => RandomMatrix.Uniform(n, 800, 10 + (ulong)i))];
        PackedMatrix[] packed = [.. weights.Select(w => Pack(w, pool))];
        Matrix[] together = [.. columns.Select(n => new Matrix(53, n))];
        var outputs = new GemmOutput[columns.Length];
        for (int i = 0; i < outputs.Length; i++)
        {
            outputs[i] = new GemmOutput(packed[i], together[i].Pointer, columns[i]);
        }

        Gemm.Multiply(pool, 53, a.Pointer, 800, outputs);

        for (int i = 0; i < outputs.Length; i++)
        {
            using Matrix alone = Matrix.Multiply(a.View, packed[i], pool);
            AssertSameBits(alone, together[i]);
            weights[i].Dispose();
            packed[i].Dispose();
            together[i].Dispose();
        }
    }

    [TestMethod]
    [DataRow(16, 96)]
    [DataRow(70, 801)]
    [DataRow(200, 1600)]
    [DataRow(300, 1024)] // Whose rows of A are copied, in calls of many.
    public void BitsDependOnNeitherThreadsNorRowsPerCallNorVectorNorPanelWidth(int columns, int depth)
    {
        const int Rows = 61;
        using Matrix a = RandomMatrix.Uniform(Rows, depth, 1);
        using Matrix weight = RandomMatrix.Uniform(columns, depth, 2);
        using Matrix bias = RandomMatrix.Uniform(1, columns, 3);
        using var single = new WorkerPool(1);
        using PackedMatrix packed = Pack(weight, single);
        using var expected = new Matrix(Rows, columns);
        Gemm.Multiply(single, Rows, a.Pointer, depth, [new GemmOutput(packed, expected.Pointer, columns, bias.Pointer)]);

        foreach ((int threads, int panel) in ((int, int)[])[(1, 16), (1, 32), (2, 32), (5, 16)])
        {
            using var pool = new WorkerPool(threads);
            using PackedMatrix other = Pack(weight, pool, panel);
            foreach (int bits in VectorBits)
            {
                foreach (int batch in (int[])[1, 2, 3, 5, 8, 9, 11, 12, 13, 14, 31, Rows])
                {
                    using var actual = new Matrix(Rows, columns);
                    for (int row = 0; row < Rows; row += batch)
                    {
                        var output = new GemmOutput(other, actual.Pointer + row * columns, columns, bias.Pointer);
                        Gemm.Multiply(pool, Math.Min(batch, Rows - row), a.Pointer + row * depth, depth, [output], bits);
                    }

                    AssertSameBits(expected, actual);
                }
            }
        }
    }

    [TestMethod]
    [DataRow(20)]
    [DataRow(45)]
    public void NotANumberStaysInItsRow(int columns)
    {
        const int Rows = 14, Depth = 40;
        using var pool = new WorkerPool(1);
        using Matrix a = RandomMatrix.Uniform(Rows, Depth, 1);
        using Matrix weight = RandomMatrix.Uniform(columns, Depth, 2);
        a.Row(3)[7] = float.NaN;
        a.Row(13)[0] = float.PositiveInfinity;
        using PackedMatrix packed = Pack(weight, pool);
        foreach (int bits in VectorBits)
        {
            // Longer rows than the product needs: the floats between must stay.
            using var result = new Matrix(Rows, columns + 3);
            result.Span.Fill(5);
            Gemm.Multiply(pool, Rows, a.Pointer, Depth, [new GemmOutput(packed, result.Pointer, columns + 3)], bits);
            for (int i = 0; i < Rows; i++)
            {
                foreach (float value in result.Row(i)[..columns])
                {
                    Assert.AreEqual(i is not (3 or 13), float.IsFinite(value), $"row {i}: {value}");
                }

                CollectionAssert.AreEqual((float[])[5, 5, 5], result.Row(i)[columns..].ToArray());
            }
        }
    }

    [TestMethod]
    public void AllWaysOfPackingAgree()
    {
        using var pool = new WorkerPool(2);
        foreach ((int columns, int depth) in ((int, int)[])[(1, 1), (16, 9), (17, 5), (32, 64), (75, 33)])
        {
            using Matrix weight = RandomMatrix.Uniform(columns, depth, 4);
            using Matrix transpose = weight.Transpose();
            using PackedMatrix fromRows = Pack(weight, pool);
            using PackedMatrix fromSource = PackedMatrix.FromRows(columns, depth, new MatrixRows(weight), pool);
            using PackedMatrix fromColumns = PackedMatrix.FromColumns(transpose.Pointer, depth, columns, columns, pool);
            Assert.AreEqual(columns <= 16 ? 16 : PackedMatrix.WidePanel, fromRows.PanelWidth);
            Assert.AreEqual(4L * fromRows.PanelCount * fromRows.PanelWidth * depth, fromRows.Bytes);
            Assert.AreEqual(0, (nint)fromRows.Panel(0) % 64);
            CollectionAssert.AreEqual(Content(fromRows), Content(fromSource));
            CollectionAssert.AreEqual(Content(fromRows), Content(fromColumns));
            for (int n = 0; n < fromRows.PanelCount * fromRows.PanelWidth; n++)
            {
                for (int k = 0; k < depth; k++)
                {
                    float packed = ((float*)fromRows.Panel(n / fromRows.PanelWidth))[k * fromRows.PanelWidth + n % fromRows.PanelWidth];
                    Assert.AreEqual(n < columns ? weight.Row(n)[k] : 0f, packed);
                }
            }
        }
    }

    [TestMethod]
    public void SixteenBitWeightsGiveTheBitsOfTheirWidenedValues()
    {
        using var pool = new WorkerPool(2);
        foreach ((WeightFormat format, Func<float, float> round) in Formats)
        {
            foreach ((int rows, int columns, int depth) in ((int, int, int)[])[(1, 300, 800), (1, 16, 40), (3, 33, 5), (29, 70, 801)])
            {
                using Matrix a = RandomMatrix.Uniform(rows, depth, 1);
                using Matrix weight = RandomMatrix.Uniform(columns, depth, 2);
                for (int i = 0; i < weight.Span.Length; i++)
                {
                    // Magnitudes from subnormal to large, and zeros of both signs.
                    weight.Span[i] = round(i % 7 == 0 ? -0f : weight.Span[i] * MathF.Pow(2, (i % 30) - 20));
                }

                foreach (int panel in PanelWidths)
                {
                    using PackedMatrix wide = Pack(weight, pool, panel);
                    using PackedMatrix narrow = PackedMatrix.FromRows(columns, depth, new MatrixRows(weight), pool, panel);
                    Assert.AreEqual(format, narrow.Format);
                    Assert.AreEqual(wide.Bytes / 2, narrow.Bytes);
                    using Matrix expected = Matrix.Multiply(a.View, wide, pool);
                    using var actual = new Matrix(rows, columns);
                    foreach (int bits in VectorBits)
                    {
                        Gemm.Multiply(pool, rows, a.Pointer, depth, [new GemmOutput(narrow, actual.Pointer, columns)], bits);
                        AssertSameBits(expected, actual);
                    }
                }

                // One value that doesn't fit, in the last row.
                weight.Row(columns - 1)[depth - 1] = 1f / 3;
                using PackedMatrix mixed = PackedMatrix.FromRows(columns, depth, new MatrixRows(weight), pool);
                Assert.AreEqual(WeightFormat.Float32, mixed.Format);
            }
        }
    }

    [TestMethod]
    [DataRow(true, true, true)]
    [DataRow(true, true, false)]
    [DataRow(true, false, true)]
    [DataRow(false, true, true)]
    [DataRow(false, true, false)]
    public void RowsMayBeScaledAndGoAnywhere(bool scaled, bool scattered, bool biased)
    {
        using var pool = new WorkerPool(2);
        foreach ((int rows, int columns, int depth) in ((int, int, int)[])[(1, 300, 40), (7, 16, 20), (23, 75, 800), (61, 128, 32)])
        {
            using Matrix a = RandomMatrix.Uniform(rows, depth, 1);
            using Matrix weight = RandomMatrix.Uniform(columns, depth, 2);
            using Matrix bias = RandomMatrix.Uniform(1, columns, 3);
            using Matrix scales = RandomMatrix.Uniform(1, rows, 4);
            using Matrix initial = RandomMatrix.Uniform(2 * rows, columns, 5);
            using PackedMatrix packed = Pack(weight, pool);
            using Matrix product = Matrix.Multiply(a.View, packed, pool);
            int[] targets = [.. Enumerable.Range(0, rows).Select(i => scattered ? (2 * rows) - 1 - (2 * i) : i)];
            int[] others = [.. Enumerable.Range(0, 2 * rows).Except(targets)];
            Matrix? first = null;
            foreach ((int bits, int panel) in VectorBits.SelectMany(bits => PanelWidths.Select(panel => (bits, panel))))
            {
                using PackedMatrix other = Pack(weight, pool, panel);
                var result = new Matrix(2 * rows, columns);
                initial.Span.CopyTo(result.Span);
                fixed (int* targetRows = targets)
                {
                    var output = new GemmOutput(other, result.Pointer, columns, biased ? bias.Pointer : null)
                    {
                        TargetRows = scattered ? targetRows : null,
                        RowScales = scaled ? scales.Pointer : null,
                    };
                    Gemm.Multiply(pool, rows, a.Pointer, depth, [output], bits);
                }

                foreach (int row in others)
                {
                    CollectionAssert.AreEqual(initial.Row(row).ToArray(), result.Row(row).ToArray());
                }

                for (int i = 0; i < rows; i++)
                {
                    for (int j = 0; j < columns; j++)
                    {
                        double sum = (double)product.Row(i)[j] + (biased ? bias.Row(0)[j] : 0);
                        double expected = scaled ? initial.Row(targets[i])[j] + (scales.Row(0)[i] * sum) : sum;
                        Assert.AreEqual(expected, result.Row(targets[i])[j], 1e-5);
                    }
                }

                AssertSameBits(first ??= result, result);
            }
        }
    }

    [TestMethod]
    public void RowsMayComeFromAnywhere()
    {
        using var pool = new WorkerPool(2);
        foreach ((int rows, int columns, int depth) in ((int, int, int)[])[(1, 300, 40), (7, 16, 20), (61, 75, 800), (26, 130, 32)])
        {
            using Matrix scattered = RandomMatrix.Uniform(3 * rows, depth, 1);
            using Matrix weight = RandomMatrix.Uniform(columns, depth, 2);
            using PackedMatrix packed = Pack(weight, pool);
            int[] sources = [.. Enumerable.Range(0, rows).Select(i => (3 * rows) - 1 - (3 * i))];
            using var gathered = new Matrix(rows, depth);
            for (int i = 0; i < rows; i++)
            {
                scattered.Row(sources[i]).CopyTo(gathered.Row(i));
            }

            using Matrix expected = Matrix.Multiply(gathered.View, packed, pool);
            using var actual = new Matrix(rows, columns);
            foreach ((int bits, int panel) in VectorBits.SelectMany(bits => PanelWidths.Select(panel => (bits, panel))))
            {
                using PackedMatrix other = Pack(weight, pool, panel);
                fixed (int* sourceRows = sources)
                {
                    Gemm.Multiply(pool, rows, scattered.Pointer, depth, [new GemmOutput(other, actual.Pointer, columns) { SourceRows = sourceRows }], bits);
                }

                AssertSameBits(expected, actual);
            }
        }
    }

    [TestMethod]
    public void AWarmCallAllocatesNothing()
    {
        using var pool = new WorkerPool(2);
        using Matrix a = RandomMatrix.Uniform(64, 256, 1);
        using Matrix weight = RandomMatrix.Uniform(256, 256, 2);
        using PackedMatrix packed = Pack(weight, pool);
        using var result = new Matrix(64, 256);
        GemmOutput[] outputs = [new GemmOutput(packed, result.Pointer, 256)];
        for (int i = 0; i < 50; i++)
        {
            Gemm.Multiply(pool, 64, a.Pointer, 256, outputs);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++)
        {
            Gemm.Multiply(pool, 64, a.Pointer, 256, outputs);
        }

        Assert.AreEqual(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void WrongUseIsRefused()
    {
        using var pool = new WorkerPool(1);
        using Matrix weight = RandomMatrix.Uniform(4, 6, 1);
        using Matrix deeper = RandomMatrix.Uniform(4, 7, 1);
        using var result = new Matrix(1, 4);
        using PackedMatrix packed = Pack(weight, pool);
        using PackedMatrix other = Pack(deeper, pool);
        GemmOutput fine = new(packed, result.Pointer, 4);
        Assert.ThrowsExactly<ArgumentException>(() => Gemm.Multiply(pool, 1, deeper.Pointer, 7, [fine, new(other, result.Pointer, 4)]));
        Assert.ThrowsExactly<ArgumentException>(() => Gemm.Multiply(pool, 1, weight.Pointer, 5, [fine]));
        Assert.ThrowsExactly<ArgumentException>(() => Gemm.Multiply(pool, 1, weight.Pointer, 6, [new(packed, result.Pointer, 3)]));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Gemm.Multiply(pool, -1, weight.Pointer, 6, [fine]));
        packed.Dispose();
        packed.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => Gemm.Multiply(pool, 1, weight.Pointer, 6, [fine]));
    }

    private static bool MatchesFloat64(Shape shape, WorkerPool pool)
    {
        (int rows, int columns, int depth, bool hasBias, bool accumulate, int gap, int panel) = shape;
        using Matrix a = RandomMatrix.Uniform(rows, depth + gap, 1);
        using Matrix weight = RandomMatrix.Uniform(columns, depth, 2);
        using Matrix bias = RandomMatrix.Uniform(1, columns, 3);
        using Matrix initial = RandomMatrix.Uniform(rows, columns + gap, 4);
        using PackedMatrix packed = Pack(weight, pool, panel);
        foreach (int bits in VectorBits)
        {
            using var result = new Matrix(rows, columns + gap);
            initial.Span.CopyTo(result.Span);
            Gemm.Multiply(
                pool, rows, a.Pointer, depth + gap,
                [new GemmOutput(packed, result.Pointer, columns + gap, hasBias ? bias.Pointer : null, accumulate)], bits);
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    double sum = (hasBias ? bias.Row(0)[j] : 0) + (accumulate ? initial.Row(i)[j] : 0);
                    ReadOnlySpan<float> x = a.Row(i), y = weight.Row(j);
                    for (int k = 0; k < depth; k++)
                    {
                        sum += (double)x[k] * y[k];
                    }

                    if (!(Math.Abs(sum - result.Row(i)[j]) <= 4e-6 * (2 + Math.Sqrt(depth))))
                    {
                        return false;
                    }
                }

                if (!result.Row(i)[columns..].SequenceEqual(initial.Row(i)[columns..]))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static PackedMatrix Pack(Matrix weight, WorkerPool pool, int? widePanel = null)
        => PackedMatrix.FromRows(weight.Pointer, weight.Rows, weight.Columns, weight.Columns, pool, widePanel);

    private static float[] Content(PackedMatrix packed) => new ReadOnlySpan<float>(packed.Panel(0), (int)(packed.Bytes / 4)).ToArray();

    private static void AssertSameBits(Matrix expected, Matrix actual)
        => Assert.IsTrue(MemoryMarshal.AsBytes(expected.Span).SequenceEqual(MemoryMarshal.AsBytes(actual.Span)));

    private sealed record Shape(int Rows, int Columns, int Depth, bool Bias, bool Accumulate, int Gap, int Panel);

    private readonly struct MatrixRows(Matrix matrix) : IRowSource
    {
        public void ReadRows(int first, Span<float> destination) => matrix.Span.Slice(first * matrix.Columns, destination.Length).CopyTo(destination);
    }
}
