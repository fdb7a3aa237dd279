using Microsoft.VisualStudio.TestTools.UnitTesting;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Tests.LinearAlgebra;

[TestClass]
public sealed class SymmetricEigenTests
{
    [TestMethod]
    [DataRow("random")]
    [DataRow("graded")]
    [DataRow("identity")]
    [DataRow("diagonal")]
    [DataRow("rank one")]
    [DataRow("zero")]
    public void SatisfiesItsDefinition(string kind)
    {
        foreach (int size in (int[])[0, 1, 2, 3, 5, 17, 60])
        {
            double[][] matrix = Make(kind, size);
            double norm = Math.Sqrt(matrix.Sum(row => row.Sum(x => x * x)));
            SymmetricEigen eigen = SymmetricEigen.Compute(Copy(matrix), size);
            Assert.HasCount(size, eigen.Values);
            Assert.HasCount(size, eigen.Vectors);
            Assert.AreEqual(matrix.Select((row, i) => row[i]).Sum(), eigen.Values.Sum(), 1e-13 * norm + 1e-300);
            for (int i = 0; i < size; i++)
            {
                double[] v = eigen.Vectors[i];
                Assert.IsTrue(i == 0 || eigen.Values[i] <= eigen.Values[i - 1]);
                for (int r = 0; r < size; r++)
                {
                    Assert.AreEqual(eigen.Values[i] * v[r], VectorAlgebra.Dot(matrix[r], v), 1e-13 * norm + 1e-300);
                }

                for (int j = 0; j <= i; j++)
                {
                    Assert.AreEqual(i == j ? 1 : 0, VectorAlgebra.Dot(v, eigen.Vectors[j]), 1e-13);
                }
            }

            // A few vectors take another way.
            SymmetricEigen some = SymmetricEigen.Compute(Copy(matrix), size / 3);
            CollectionAssert.AreEqual(eigen.Values, some.Values);
            Assert.HasCount(size / 3, some.Vectors);
            for (int i = 0; i < size / 3; i++)
            {
                for (int r = 0; r < size; r++)
                {
                    Assert.AreEqual(eigen.Vectors[i][r], some.Vectors[i][r], 1e-13);
                }
            }

            SymmetricEigen valuesOnly = SymmetricEigen.Compute(Copy(matrix), 0);
            CollectionAssert.AreEqual(eigen.Values, valuesOnly.Values);
            Assert.IsEmpty(valuesOnly.Vectors);
        }
    }

    [TestMethod]
    public void ACancelledDecompositionEnds()
    {
        double[][] matrix = Make("random", 20);
        var cancelled = new CancellationToken(canceled: true);
        SymmetricEigen eigen = SymmetricEigen.Compute(Copy(matrix), 0);
        Assert.ThrowsExactly<OperationCanceledException>(() => SymmetricEigen.Compute(Copy(matrix), 0, cancelled));
        Assert.ThrowsExactly<OperationCanceledException>(() => eigen.FindVectors(5, cancelled));
        using PanelMatrix panels = PanelMatrix.FromColumns(matrix, 20);
        Assert.ThrowsExactly<OperationCanceledException>(() => GramMatrix.Compute(panels, cancelled));
    }

    [TestMethod]
    public void NotANumberDoesNotHang()
    {
        double[][] matrix = Make("random", 20);
        matrix[3][4] = matrix[4][3] = double.NaN;
        Assert.HasCount(20, SymmetricEigen.Compute(matrix, 5).Values);
    }

    private static double[][] Make(string kind, int size)
    {
        var random = new SplitMix64(11);
        var matrix = new double[size][];
        for (int i = 0; i < size; i++)
        {
            matrix[i] = new double[size];
            for (int j = 0; j <= i; j++)
            {
                matrix[i][j] = matrix[j][i] = kind switch
                {
                    "random" => random.NextSigned(),
                    "graded" => random.NextSigned() * Math.Pow(10, -(i + j) / 4.0),
                    "identity" => i == j ? 1 : 0,
                    "diagonal" => i == j ? random.NextSigned() : 0,
                    "rank one" => (i + 1) * (j + 1),
                    _ => 0,
                };
            }
        }

        return matrix;
    }

    private static double[][] Copy(double[][] matrix) => [.. matrix.Select(row => (double[])row.Clone())];
}
