using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Analysis;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Tests.LinearAlgebra;

namespace Smile.ML.Tests.Analysis;

[TestClass]
public sealed class SubspaceZonesTests
{
    private static readonly WorkerPool Threads = new(2);

    [TestMethod]
    public void ZonesOfADiagonalWeightAreBlocks()
    {
        // s = 4, 3, 2, 1 sums to 10; 4 + 3 is the first sum of at least 5, so zone I is the first two axes on either side.
        using Matrix weight = Matrix.FromRows([[4, 0, 0, 0, 0], [0, 3, 0, 0, 0], [0, 0, 2, 0, 0], [0, 0, 0, 1, 0]], 5);
        using Matrix delta = RandomMatrix.Uniform(4, 5, 7);
        using SubspaceZones zones = SubspaceZones.Compute(weight, Threads);
        Assert.AreEqual(2, zones.Boundary);
        AssertProjection(zones, delta, SubspaceZone.I, (row, column) => row < 2 && column < 2);
        AssertProjection(zones, delta, SubspaceZone.II, (row, column) => row >= 2 && (column is 2 or 3));
        AssertProjection(zones, delta, SubspaceZone.IIAndIII, (row, column) => row >= 2 && column >= 2);
    }

    [TestMethod]
    public void EnergiesAreSharesAndDisjointZonesNeverExceedTheWhole()
    {
        Gen<(int Rows, int Columns, int Seed)> cases =
            from rows in Gen.Choose(1, 24)
            from columns in Gen.Choose(1, 24)
            from seed in Gen.Choose(0, 1000)
            select (rows, columns, seed);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(40), Prop.ForAll(cases.ToArbitrary(), x =>
        {
            using Matrix weight = RandomMatrix.Uniform(x.Rows, x.Columns, (ulong)x.Seed);
            using Matrix delta = RandomMatrix.Uniform(x.Rows, x.Columns, (ulong)x.Seed + 1);
            using SubspaceZones zones = SubspaceZones.Compute(weight, Threads);
            double whole = delta.View.Energy();
            double one = Energy(zones, delta, SubspaceZone.I), two = Energy(zones, delta, SubspaceZone.II), rest = Energy(zones, delta, SubspaceZone.IIAndIII);
            Assert.IsTrue(one + rest <= whole * (1 + 1e-5), $"{one} + {rest} of {whole}");
            Assert.IsTrue(two <= rest + (whole * 1e-5), $"{two} of {rest}");

            // Projecting twice changes nothing: what lies in zone I is all in zone I and none of it elsewhere.
            using Matrix inside = zones.Project(delta, SubspaceZone.I, Threads);
            Assert.AreEqual(one, Energy(zones, inside, SubspaceZone.I), whole * 1e-5);
            Assert.AreEqual(0, Energy(zones, inside, SubspaceZone.IIAndIII), whole * 1e-5);
        }));
    }

    private static double Energy(SubspaceZones zones, Matrix delta, SubspaceZone zone)
    {
        using Matrix projected = zones.Project(delta, zone, Threads);
        return projected.View.Energy();
    }

    private static void AssertProjection(SubspaceZones zones, Matrix delta, SubspaceZone zone, Func<int, int, bool> inside)
    {
        using Matrix projected = zones.Project(delta, zone, Threads);
        for (int row = 0; row < delta.Rows; row++)
        {
            for (int column = 0; column < delta.Columns; column++)
            {
                Assert.AreEqual(inside(row, column) ? delta.Row(row)[column] : 0, projected.Row(row)[column], 1e-6, $"zone {zone} [{row}, {column}]");
            }
        }
    }
}
