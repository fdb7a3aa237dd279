using Smile.ML.Checkpoints;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>What must hold of every method, or of all those that it can hold of.</summary>
[TestClass]
public class MergePropertyTests
{
    private const double Tolerance = 1e-5;

    /// <summary>Every method that merges three experts, with parameters unlike the defaults where these do little.</summary>
    public static IEnumerable<string> Symmetric { get; } =
    [
        .. MergeMethods.All.Select(method => method.Name).Except(["weighted-average", "slerp", "lora-cat"]),
        "dare combine=ties keep=0.5",
        "breadcrumbs combine=ties density=0.5",
        "ties merge=mean keep=0.7",
        "subspace-boosting over=tsv-m beta=0.5",
        "svc over=dare over.seed=3",
    ];

    public static IEnumerable<string> All { get; } = [.. Symmetric, "weighted-average weights=1,2,3"];

    /// <summary>Methods of which a scale of 0 gives the pretrained model.</summary>
    public static IEnumerable<string> Scaled { get; } =
    [
        .. MergeMethods.All.Where(method => method.Parameters.Any(parameter => parameter.Name == "scale")).Select(method => $"{method.Name} scale=0"),
        "subspace-boosting over.scale=0",
        "svc over.scale=0",
    ];

    /// <summary>Methods that give an expert back when all experts are that one.</summary>
    public static IEnumerable<string> Idempotent { get; } =
    [
        "simple-average",
        "weighted-average weights=3,1,2",
        "task-arithmetic scale=0.3333333333333333",
        "ties keep=1 merge=mean scale=1",
        "dare drop=0 combine=average",
        "breadcrumbs density=1 gamma=0 combine=average",
        "della density=1 epsilon=0",
        "magmax scale=1",
        "consensus threshold=0 scale=0.3333333333333333",
        "trust-region quantile=1 scale=0.3333333333333333",
        "model-stock",
        "knots keep=1",
        "wudi",
        "svc alpha=0.01 over=simple-average",
        "subspace-boosting beta=1 over=simple-average",
    ];

    /// <summary>Methods that give a single expert back.</summary>
    public static IEnumerable<string> Faithful { get; } =
    [
        "simple-average",
        "weighted-average weights=2",
        "task-arithmetic scale=1",
        "ties keep=1 scale=1",
        "magmax scale=1",
        "consensus agreement=1 scale=1",
        "trust-region scale=1",
        "tsv-m",
        "knots keep=1",
        "wudi",
        "svc over.scale=1",
    ];

    [TestMethod]
    [DynamicData(nameof(Symmetric))]
    public void TheOrderOfTheExpertsDoesNotMatter(string method)
    {
        using SmallPool pool = SmallPool.Random(40, experts: 3);
        using ITensorSource merged = MergeMethods.Parse(method).Merge(pool.Pool);
        using ITensorSource other = MergeMethods.Parse(method).Merge(pool.Pool.Select("expert2", "expert0", "expert1"));
        AreClose(merged, other, method);
    }

    [TestMethod]
    [DynamicData(nameof(All))]
    public void NeitherThreadsNorPiecesMatter(string method)
    {
        // A weight of two blocks.
        using SmallPool pool = SmallPool.Random(41, experts: 3, outputs: 40, inputs: 500);
        Dictionary<string, float[]> expected = pool.Merge(MergeMethods.Parse(method), threads: 1);
        using ITensorSource merged = MergeMethods.Parse(method).Merge(pool.Pool, threads: 3);
        foreach ((string tensor, float[] values) in expected)
        {
            var pieces = new float[values.Length];
            for (int start = pieces.Length / 7 * 6; start >= 0; start -= Math.Max(1, pieces.Length / 7))
            {
                merged.ReadFloats(tensor, start, pieces.AsSpan(start, Math.Min(pieces.Length / 7 + 7, pieces.Length - start)));
            }

            CollectionAssert.AreEqual(values, pieces, $"{method}: {tensor}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Scaled))]
    public void AScaleOfZeroGivesThePretrainedModel(string method)
    {
        using SmallPool pool = SmallPool.Random(42, experts: 3);
        foreach ((string tensor, float[] values) in pool.Merge(MergeMethods.Parse(method)))
        {
            CollectionAssert.AreEqual(pool.Models[0][tensor].Floats, values, $"{method}: {tensor}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Idempotent))]
    public void EqualExpertsMergeToThatExpert(string method)
    {
        using SmallPool one = SmallPool.Random(43, experts: 1);
        using SmallPool pool = SmallPool.Around(one.Models[0], [one.Models[1], one.Models[1], one.Models[1]]);
        using ITensorSource merged = MergeMethods.Parse(method).Merge(pool.Pool);
        AreClose(pool.Pool.Experts[0].Parameters, merged, method);
    }

    [TestMethod]
    [DynamicData(nameof(Faithful))]
    public void ASingleExpertIsGivenBack(string method)
    {
        using SmallPool pool = SmallPool.Random(44, experts: 1);
        using ITensorSource merged = MergeMethods.Parse(method).Merge(pool.Pool);
        AreClose(pool.Pool.Experts[0].Parameters, merged, method);
    }

    [TestMethod]
    public void TheAverageOfEqualExpertsIsExact()
    {
        using SmallPool one = SmallPool.Random(45, experts: 1);
        using SmallPool pool = SmallPool.Around(one.Models[0], [.. Enumerable.Repeat(one.Models[1], 7)]);
        CollectionAssert.AreEqual(one.Models[1][SmallPool.Weight].Floats, pool.Merge(new SimpleAverage())[SmallPool.Weight]);
    }

    [TestMethod]
    [DynamicData(nameof(Symmetric))]
    public void UntouchedLayersStayPretrained(string method)
    {
        using SmallPool pool = SmallPool.Random(46, experts: 1);
        using SmallPool untouched = SmallPool.Around(pool.Models[0], [pool.Models[0], pool.Models[0], pool.Models[0]]);
        foreach ((string tensor, float[] values) in untouched.Merge(MergeMethods.Parse(method)))
        {
            CollectionAssert.AreEqual(pool.Models[0][tensor].Floats, values, $"{method}: {tensor}");
        }
    }

    [TestMethod]
    public void SingularVectorsOfEqualExpertsAreSharedNotDoubled()
    {
        // A delta of rank 2 fits into each of three experts' share of 6 directions.
        using SmallPool pool = SmallPool.Random(47, experts: 1, outputs: 6, inputs: 8);
        var random = new Random(48);
        double[,] low = Dense.Multiply(Dense.Generate(6, 2, (_, _) => random.NextDouble() - 0.5), Dense.Generate(2, 8, (_, _) => random.NextDouble() - 0.5));
        Dictionary<string, HostTensor> expert = new(pool.Models[0])
        {
            [SmallPool.Weight] = HostTensor.FromFloats([6, 8], [.. pool.Models[0][SmallPool.Weight].Floats!.Zip(low.Cast<double>(), (w, d) => (float)(w + d))]),
        };
        using SmallPool equal = SmallPool.Around(pool.Models[0], [expert, expert, expert]);
        using ITensorSource merged = new TaskSingularVectors().Merge(equal.Pool);
        AreClose(equal.Pool.Experts[0].Parameters, merged, "tsv-m");
    }

    private static void AreClose(ITensorSource expected, ITensorSource actual, string method)
    {
        foreach (string tensor in expected.Tensors.Keys)
        {
            MergeAssert.AreClose(
                expected.ReadFloats(tensor).Select(value => (double)value), actual.ReadFloats(tensor), Tolerance, $"{method}: {tensor}");
        }
    }
}
