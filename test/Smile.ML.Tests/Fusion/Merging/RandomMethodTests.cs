using Smile.ML.Checkpoints;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>The methods that drop entries at random.</summary>
[TestClass]
public class RandomMethodTests
{
    [TestMethod]
    public void DareDropsTheShareAskedForAndRescalesTheRest()
    {
        using SmallPool pool = SmallPool.Random(30, experts: 1, outputs: 100, inputs: 200);
        float[] merged = pool.Merge(new Dare { Drop = 0.7, Scale = 1 })[SmallPool.Weight];
        double[] before = pool.Theta(-1, SmallPool.Weight), tau = pool.Tau(0, SmallPool.Weight);
        int dropped = 0;
        for (int i = 0; i < merged.Length; i++)
        {
            bool drop = merged[i] == (float)before[i];
            dropped += drop ? 1 : 0;
            Assert.AreEqual(before[i] + (drop ? 0 : tau[i] / 0.3), merged[i], 1e-6);
        }

        // Four standard deviations of a binomial of 20000 at 0.7.
        Assert.AreEqual(0.7, dropped / 20000.0, 4 * Math.Sqrt(0.7 * 0.3 / 20000));
    }

    [TestMethod]
    [DataRow(CombineBy.Average, "simple-average")]
    [DataRow(CombineBy.TaskArithmetic, "task-arithmetic")]
    [DataRow(CombineBy.Ties, "ties")]
    public void DareThatDropsNothingIsTheMethodItCombinesBy(CombineBy combine, string other)
    {
        using SmallPool pool = SmallPool.Random(31, experts: 3);
        Dictionary<string, float[]> expected = pool.Merge(MergeMethods.Create(other));
        foreach ((string tensor, float[] actual) in pool.Merge(new Dare { Drop = 0, Combine = combine }))
        {
            MergeAssert.AreClose(expected[tensor].Select(value => (double)value), actual, 1e-6, tensor);
        }
    }

    [TestMethod]
    public void TheSeedDecidesWhatIsDropped()
    {
        using SmallPool pool = SmallPool.Random(32, experts: 2);
        foreach (Func<int, MergeMethod> method in new Func<int, MergeMethod>[] { seed => new Dare { Seed = seed }, seed => new Della { Seed = seed } })
        {
            float[] first = pool.Merge(method(1))[SmallPool.Weight];
            CollectionAssert.AreEqual(first, pool.Merge(method(1))[SmallPool.Weight]);
            CollectionAssert.AreNotEqual(first, pool.Merge(method(2))[SmallPool.Weight]);
        }
    }

    [TestMethod]
    public void DellaKeepsByRankAndDividesByTheProbability()
    {
        // Rows of 5 entries: ranks 0 to 4 are kept with 0.2, 0.35, 0.5, 0.65, 0.8.
        using SmallPool pool = SmallPool.Random(33, experts: 1, outputs: 4000, inputs: 5);
        float[] merged = pool.Merge(new Della { Density = 0.5, Epsilon = 0.3 })[SmallPool.Weight];
        double[] before = pool.Theta(-1, SmallPool.Weight), tau = pool.Tau(0, SmallPool.Weight);
        var kept = new int[5];
        for (int row = 0; row < 4000; row++)
        {
            int[] order = [.. Enumerable.Range(5 * row, 5).OrderBy(i => Math.Abs(tau[i]))];
            for (int rank = 0; rank < 5; rank++)
            {
                int i = order[rank];
                bool keep = merged[i] != (float)before[i];
                kept[rank] += keep ? 1 : 0;
                Assert.AreEqual(before[i] + (keep ? tau[i] / (0.2 + 0.15 * rank) : 0), merged[i], 1e-5);
            }
        }

        for (int rank = 0; rank < 5; rank++)
        {
            double probability = 0.2 + 0.15 * rank;
            Assert.AreEqual(probability, kept[rank] / 4000.0, 4 * Math.Sqrt(probability * (1 - probability) / 4000), $"rank {rank}");
        }
    }

    [TestMethod]
    public void DellaThatKeepsEverythingElectsSigns()
    {
        using SmallPool pool = SmallPool.Random(34, experts: 4);
        float[] expected = pool.Merge(new Ties { Keep = 1, Agreeing = AgreeingEntries.Mean, Scale = 1 })[SmallPool.Weight];
        CollectionAssert.AreEqual(expected, pool.Merge(new Della { Density = 1, Epsilon = 0 })[SmallPool.Weight]);
    }

    [TestMethod]
    public void WhatIsDroppedDependsOnNamesNotOnPlaces()
    {
        using SmallPool pool = SmallPool.Random(35, experts: 2);
        using SmallPool alone = SmallPool.Around(pool.Models[0], [pool.Models[2]], ["expert1"]);
        using ITensorSource second = new Dare { Scale = 1 }.Merge(pool.Pool.Select("expert1"));
        CollectionAssert.AreEqual(alone.Merge(new Dare { Scale = 1 })[SmallPool.Weight], second.ReadFloats(SmallPool.Weight));
    }
}
